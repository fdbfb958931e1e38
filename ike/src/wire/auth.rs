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
    /// "RSA Digital Signature", by PKCS#1 version 1.5.
    pub(crate) const RSA: u8 = 1;

    /// Method of a proof by a pre-shared key, "Shared Key Message Integrity Code".
    pub(crate) const SHARED_KEY: u8 = 2;

    /// "ECDSA with SHA-256 on the P-256 curve" (RFC 4754 section 7).
    pub(crate) const ECDSA_P256: u8 = 9;

    /// "ECDSA with SHA-384 on the P-384 curve" (RFC 4754 section 7).
    pub(crate) const ECDSA_P384: u8 = 10;

    /// "Digital Signature" (RFC 7427 section 3): the data names its algorithm.
    pub(crate) const DIGITAL_SIGNATURE: u8 = 14;

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
    /// "X.509 Certificate - Signature": a certificate in DER, or in CERTREQ the hashes of authorities' keys.
    pub(crate) const X509: u8 = 4;

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
