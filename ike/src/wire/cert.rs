//! CERT and CERTREQ (RFC 7296 sections 3.6 and 3.7).

/// A certificate, or a request for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Certificate<'a> {
    /// 4 for X.509, signature.
    pub(crate) encoding: u8,
    pub(crate) data: &'a [u8],
}
