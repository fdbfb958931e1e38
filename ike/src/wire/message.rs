//! Chains of payloads, and messages made of them (RFC 7296 sections 3.1, 3.2 and 3.14).

use super::*;
use crate::{IkeSpis, TrafficSelector};

/// A payload, borrowing from the message it was read from or is made of. The protecting payloads SK and SKF are not
/// among them: [`Message::encrypted`] holds what they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload<'a> {
    Sa(Vec<Proposal<'a>>),
    KeyExchange(KeyExchange<'a>),
    IdI(IdPayload<'a>),
    IdR(IdPayload<'a>),
    Certificate(Certificate<'a>),
    CertificateRequest(Certificate<'a>),
    Auth {
        method: u8,
        data: &'a [u8],
    },
    Nonce(&'a [u8]),
    Notify(Notify<'a>),
    Delete(Delete),
    VendorId(&'a [u8]),
    TsI(Vec<TrafficSelector>),
    TsR(Vec<TrafficSelector>),
    Configuration(&'a [u8]),
    Eap(&'a [u8]),
    /// Of a type not known here and not critical: to be passed over (RFC 7296 section 2.5).
    Unknown {
        kind: u8,
        body: &'a [u8],
    },
}

/// KE (RFC 7296 section 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyExchange<'a> {
    /// Transform ID of the group (transform type 4).
    pub(crate) group: u16,
    pub(crate) public: &'a [u8],
}

/// SK or SKF, still closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encrypted<'a> {
    /// SK (RFC 7296 section 3.14): type of the first payload inside, and IV, ciphertext and ICV.
    Whole { first: u8, body: &'a [u8] },
    /// SKF (RFC 7383 section 2.5), a fragment; the body begins with its number and total.
    Fragment { first: u8, body: &'a [u8] },
}

/// A decoded datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) header: Header,
    /// Those outside SK; not authenticated, unless the signature of IKE_AUTH covers the message.
    pub(crate) payloads: Vec<Payload<'a>>,
    /// The last payload, where it is SK or SKF.
    pub(crate) encrypted: Option<Encrypted<'a>>,
}

impl<'a> Message<'a> {
    /// Decodes a whole message (no non-ESP marker).
    pub(crate) fn decode(message: &'a [u8]) -> Result<Self, WireError> {
        let header = Header::decode(message)?;
        Self::decode_body(header, message)
    }

    /// Decodes what follows a header that [`Header::decode`] accepted for the same `message`.
    pub(crate) fn decode_body(header: Header, message: &'a [u8]) -> Result<Self, WireError> {
        let _ = (header, message);
        todo!()
    }
}

/// Decodes a chain of payloads that cannot hold SK or SKF: the inside of an opened SK.
pub(crate) fn decode_payloads(first: u8, body: &[u8]) -> Result<Vec<Payload<'_>>, WireError> {
    let _ = (first, body);
    todo!()
}

/// The header of a message to send: what does not follow from its payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) spis: IkeSpis,
    pub(crate) exchange: ExchangeType,
    pub(crate) flags: Flags,
    pub(crate) message_id: u32,
}

/// A cleartext message. For SK messages see `crypto::SkKey::seal`.
pub(crate) fn encode(head: &Head, payloads: &[Payload<'_>]) -> Vec<u8> {
    let _ = (head, payloads);
    todo!()
}
