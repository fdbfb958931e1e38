//! Numbers that name an edge, an ESP SA and an IKE SA.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// An edge's number, leased from the distributor and unique among living edges: 1 to [`Slot::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(u16);

impl Slot {
    /// Ten bits: they are the high bits of every inbound ESP SPI of the edge.
    pub const MAX: u16 = 1023;

    /// Where those bits begin.
    const SHIFT: u32 = 22;

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
        Self::new((spi >> Self::SHIFT) as u16)
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
    pub const MIN: Self = Self(1 << Slot::SHIFT);

    /// The greatest of all.
    pub const MAX: Self = Self(u32::MAX);

    /// The least and the greatest that an edge may issue.
    pub fn of_slot(slot: Slot) -> (Self, Self) {
        let first = u32::from(slot.0) << Slot::SHIFT;
        (Self(first), Self(first | ((1 << Slot::SHIFT) - 1)))
    }

    /// The SPI as it stands in a packet.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The edge that issued it.
    pub fn slot(self) -> Slot {
        Slot((self.0 >> Slot::SHIFT) as u16)
    }
}

impl TryFrom<u32> for InboundSpi {
    type Error = Invalid;

    fn try_from(spi: u32) -> Result<Self, Invalid> {
        match Slot::of_esp_spi(spi) {
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

/// Both SPIs of an IKE SA (RFC 7296 section 3.1), with the roles of the first IKE SA: a rekey by the fleet makes it the
/// initiator of the next one by the RFC's word, but its SPI stays in the same place here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IkeSpis {
    /// The customer's.
    pub initiator: u64,
    /// The fleet's, which tells every edge who issued it (see `ike::Router`); it alone names the IKE SA's record.
    pub responder: u64,
}

impl fmt::Debug for IkeSpis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}/{:016x}", self.initiator, self.responder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_the_high_bits_of_its_spis() {
        for number in [1, 2, 512, Slot::MAX] {
            let slot = Slot::new(number).unwrap();
            let (first, last) = InboundSpi::of_slot(slot);
            assert_eq!((first.slot(), last.slot()), (slot, slot));
            assert_eq!(first.get() >> 22, u32::from(number));
            assert_eq!(last.get() - first.get(), (1 << 22) - 1);
        }
        assert_eq!((Slot::new(0), Slot::new(1024)), (None, None));
    }

    #[test]
    fn an_spi_without_a_slot_is_nobodys() {
        assert_eq!(Slot::of_esp_spi(0x003f_ffff), None);
        assert!(InboundSpi::try_from(0x003f_ffff).is_err());
        assert_eq!(InboundSpi::try_from(0x0040_0000), Ok(InboundSpi::MIN));
    }
}
