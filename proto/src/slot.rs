//! An edge's number, and the SPIs it may issue.

use std::fmt;

use crate::Invalid;

/// An edge's number, leased from the distributor and unique among living edges: 1 to [`Slot::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
}

impl TryFrom<u32> for Slot {
    type Error = Invalid;

    fn try_from(number: u32) -> Result<Self, Invalid> {
        let slot = u16::try_from(number).ok().and_then(Self::new);
        slot.ok_or_else(|| Invalid::new("slot", number, "is not a slot (1 to 1023)"))
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The SPI of an inbound ESP SA: the slot of the edge that issued it in its high ten bits, so that it is unique in the
/// fleet without asking.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboundSpi(u32);

impl InboundSpi {
    /// The least of all.
    pub const MIN: Self = Self(1 << Self::SLOT_SHIFT);

    /// The greatest of all.
    pub const MAX: Self = Self(u32::MAX);

    const SLOT_SHIFT: u32 = 22;

    /// The least and the greatest that an edge may issue.
    pub fn of_slot(slot: Slot) -> (Self, Self) {
        let first = u32::from(slot.0) << Self::SLOT_SHIFT;
        (Self(first), Self(first | ((1 << Self::SLOT_SHIFT) - 1)))
    }

    /// The SPI as it stands in a packet.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The edge that issued it.
    pub fn slot(self) -> Slot {
        Slot((self.0 >> Self::SLOT_SHIFT) as u16)
    }
}

impl TryFrom<u32> for InboundSpi {
    type Error = Invalid;

    fn try_from(spi: u32) -> Result<Self, Invalid> {
        match Slot::new((spi >> Self::SLOT_SHIFT) as u16) {
            Some(_) => Ok(Self(spi)),
            None => Err(Invalid::new(
                "inbound_spi",
                format_args!("{spi:#010x}"),
                "has no slot in its high ten bits",
            )),
        }
    }
}

impl fmt::Display for InboundSpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

impl fmt::Debug for InboundSpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
