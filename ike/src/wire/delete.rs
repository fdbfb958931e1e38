//! Delete (RFC 7296 section 3.11).

use super::length::in_16_bits;
use super::{Protocol, WireError};

/// What the sender has deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delete {
    /// The IKE SA that protects the message.
    Ike,
    /// Child SAs, by the SPIs the sender receives on.
    Child { protocol: Protocol, spis: Vec<u32> },
}

impl Delete {
    pub(super) fn decode(body: &[u8]) -> Result<Self, WireError> {
        let ([protocol, spi_len, c0, c1], spis) = body
            .split_first_chunk()
            .ok_or(WireError::Syntax("a deletion is shorter than its fixed part"))?;
        let count = usize::from(u16::from_be_bytes([*c0, *c1]));
        match (Protocol::from(*protocol), spi_len) {
            (Protocol::Ike, 0) if spis.is_empty() => Ok(Self::Ike),
            (protocol @ (Protocol::Esp | Protocol::Ah), 4) => match spis.as_chunks() {
                (spis, []) if spis.len() == count => Ok(Self::Child {
                    protocol,
                    spis: spis.iter().copied().map(u32::from_be_bytes).collect(),
                }),
                _ => Err(WireError::Syntax("a deletion does not have the SPIs it counts")),
            },
            _ => Err(WireError::Syntax(
                "a deletion has SPIs of the wrong length for its protocol",
            )),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ike => out.extend_from_slice(&[Protocol::Ike.into(), 0, 0, 0]),
            Self::Child { protocol, spis } => {
                out.extend_from_slice(&[(*protocol).into(), 4]);
                // A datagram holds at most 16,374 of them.
                out.extend_from_slice(&in_16_bits(spis.len()).to_be_bytes());
                spis.iter()
                    .for_each(|spi| out.extend_from_slice(&spi.to_be_bytes()));
            }
        }
    }
}
