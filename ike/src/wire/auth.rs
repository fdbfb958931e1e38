//! AUTH, CERT and CERTREQ: the proof of who the sender is (RFC 7296 sections 3.6 to 3.8).

use super::WireError;

/// AUTH (RFC 7296 section 3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Auth<'a> {
    pub(crate) method: u8,
    pub(crate) data: &'a [u8],
}

/// CERT or CERTREQ: both are an encoding and octets that depend on it (RFC 7296 sections 3.6 and 3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Certificate<'a> {
    pub(crate) encoding: u8,
    pub(crate) data: &'a [u8],
}

impl<'a> Auth<'a> {
    /// Method of a proof by a pre-shared key, "Shared Key Message Integrity Code".
    pub(crate) const SHARED_KEY: u8 = 2;

    pub(super) fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let ([method, _, _, _], data) = body
            .split_first_chunk()
            .ok_or(WireError::Syntax("AUTH is shorter than its fixed part"))?;
        Ok(Self {
            method: *method,
            data,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.method, 0, 0, 0]);
        out.extend_from_slice(self.data);
    }
}

impl<'a> Certificate<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let (encoding, data) = body
            .split_first()
            .ok_or(WireError::Syntax("CERT or CERTREQ is empty"))?;
        Ok(Self {
            encoding: *encoding,
            data,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.encoding);
        out.extend_from_slice(self.data);
    }
}
