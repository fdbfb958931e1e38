//! The IKE header (RFC 7296 section 3.1).

use super::WireError;
use crate::IkeSpis;

/// Octets of the header.
pub(crate) const HEADER_LEN: usize = 28;

/// What every message begins with, as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) spis: IkeSpis,
    /// Type of the first payload, 0 for none.
    pub(crate) next_payload: u8,
    /// Major version in the high four bits, minor in the low four.
    pub(crate) version: u8,
    pub(crate) exchange: ExchangeType,
    pub(crate) flags: Flags,
    pub(crate) message_id: u32,
    /// Octets of the whole message, this header included.
    pub(crate) length: u32,
}

/// Exchange types (RFC 7296 section 3.1 and the IANA registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExchangeType {
    IkeSaInit,
    IkeAuth,
    CreateChildSa,
    Informational,
    Other(u8),
}

/// The header's flags; the reserved bits are ignored on receipt and cleared when sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    /// I: sent by the original initiator of the IKE SA.
    pub(crate) initiator: bool,
    /// R: answers the request with the same message ID.
    pub(crate) response: bool,
}

impl Header {
    /// Reads the header of a whole message (no non-ESP marker) and holds it against the message's length.
    pub(crate) fn decode(message: &[u8]) -> Result<Self, WireError> {
        let _ = message;
        todo!()
    }
}
