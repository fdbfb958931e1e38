//! KE, and the validity of a nonce: what both sides put into the keys (RFC 7296 sections 3.4 and 3.9).

use super::WireError;

/// KE (RFC 7296 section 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyExchange<'a> {
    /// Transform ID of the group (transform type 4).
    pub(crate) group: u16,
    /// The sender's public value, in the encoding of its group.
    pub(crate) public: &'a [u8],
}

impl<'a> KeyExchange<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let ([g0, g1, _, _], public) = body
            .split_first_chunk()
            .ok_or(WireError::Syntax("KE is shorter than its fixed part"))?;
        Ok(Self {
            group: u16::from_be_bytes([*g0, *g1]),
            public,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.group.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(self.public);
    }
}

/// The data of a Ni or Nr payload, 16 to 256 octets (RFC 7296 section 3.9).
pub(super) fn decode_nonce(body: &[u8]) -> Result<&[u8], WireError> {
    if !(16..=256).contains(&body.len()) {
        return Err(WireError::Syntax("a nonce has 16 to 256 octets"));
    }
    Ok(body)
}
