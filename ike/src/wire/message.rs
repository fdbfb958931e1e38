//! Whole messages.

use super::chain::{self, Encrypted};
use super::{HEADER_LEN, Head, Header, Payload, WireError, header};

/// A decoded datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) header: Header,
    /// Those outside SK. Only SK's integrity check, or AUTH for IKE_SA_INIT, tells whether they are authentic.
    pub(crate) payloads: Vec<Payload<'a>>,
    /// The last payload, where it is SK or SKF.
    pub(crate) encrypted: Option<Encrypted<'a>>,
}

impl<'a> Message<'a> {
    /// Decodes a whole message (without non-ESP marker).
    pub(crate) fn decode(message: &'a [u8]) -> Result<Self, WireError> {
        Self::decode_body(Header::decode(message)?, message)
    }

    /// Decodes what follows the header, which [`Header::decode`] read from the same `message`.
    pub(crate) fn decode_body(header: Header, message: &'a [u8]) -> Result<Self, WireError> {
        let (payloads, encrypted) =
            chain::decode(header.next_payload, message.get(HEADER_LEN..).unwrap_or_default())?;
        Ok(Self {
            header,
            payloads,
            encrypted,
        })
    }
}

/// A cleartext message. One that is protected comes from `crypto::SkKey::seal`.
pub(crate) fn encode(head: &Head, payloads: &[Payload<'_>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    head.encode(chain::first_of(payloads), &mut out);
    chain::encode_payloads(payloads, &mut out);
    let length = out.len();
    header::patch_length(&mut out, length);
    out
}
