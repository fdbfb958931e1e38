//! Numbers that name an edge, an SA of ESP and an IKE SA.

use serde::{Deserialize, Serialize};

/// An edge's number, leased from the distributor and unique among living edges: 1 to [`Slot::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(u16);

impl Slot {
    /// Ten bits: they are the high bits of every inbound ESP SPI of the edge.
    pub const MAX: u16 = 1023;

    /// `None` for 0 (whose SPIs RFC 4303 section 2.1 reserves in part) and for numbers above [`Slot::MAX`].
    pub fn new(number: u16) -> Option<Self> {
        (1..=Self::MAX).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }

    /// The slot that an inbound ESP SPI carries, `None` for an SPI that no edge issues.
    pub fn of_esp_spi(spi: u32) -> Option<Self> {
        Self::new((spi >> 22) as u16)
    }
}

/// Both SPIs of an IKE SA (RFC 7296 section 3.1), with the roles of the first IKE SA: a rekey of ours makes us the
/// initiator of the next one by the RFC's word, but this crate's caller finds the fleet's SPI in the same place always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IkeSpis {
    /// The peer's.
    pub initiator: u64,
    /// The fleet's, which tells every edge who issued it; see `ike::route`.
    pub responder: u64,
}
