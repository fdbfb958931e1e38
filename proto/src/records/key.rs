//! What names a record.

use std::fmt;

use crate::fields::required;
use crate::{InboundSpi, Invalid, Name, Slot, v1};

/// What names a record: at most one lives under a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// By name.
    Tunnel(Name),
    /// By inbound SPI.
    ChildSa(InboundSpi),
    /// By the responder's SPI.
    IkeSa(u64),
    /// By slot.
    Edge(Slot),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tunnel(name) => write!(f, "tunnel {name}"),
            Self::ChildSa(spi) => write!(f, "child SA {spi}"),
            Self::IkeSa(spi) => write!(f, "IKE SA {spi:016x}"),
            Self::Edge(slot) => write!(f, "edge in slot {slot}"),
        }
    }
}

impl TryFrom<v1::Key> for Key {
    type Error = Invalid;

    fn try_from(wire: v1::Key) -> Result<Self, Invalid> {
        use v1::key::Kind;
        match required("kind", wire.kind)? {
            Kind::Tunnel(name) => name
                .parse()
                .map(Self::Tunnel)
                .map_err(|e: Invalid| e.within("tunnel")),
            Kind::ChildSa(spi) => InboundSpi::try_from(spi).map(Self::ChildSa),
            Kind::IkeSa(0) => Err(Invalid::new(
                "ike_sa",
                0,
                "is not the SPI of an established IKE SA",
            )),
            Kind::IkeSa(spi) => Ok(Self::IkeSa(spi)),
            Kind::Edge(slot) => Slot::try_from(slot).map(Self::Edge),
        }
    }
}

impl From<&Key> for v1::Key {
    fn from(key: &Key) -> Self {
        use v1::key::Kind;
        let kind = match key {
            Key::Tunnel(name) => Kind::Tunnel(String::from(name)),
            Key::ChildSa(spi) => Kind::ChildSa(spi.get()),
            Key::IkeSa(spi) => Kind::IkeSa(*spi),
            Key::Edge(slot) => Kind::Edge(slot.get().into()),
        };
        Self { kind: Some(kind) }
    }
}
