//! What can be wrong with a peer's certificates.

use std::net::IpAddr;

use thiserror::Error;

use crate::Identity;

/// Why a peer's certificates, or its signature, do not prove who it claims to be. The peer is told AUTHENTICATION_FAILED
/// and nothing more.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// No CERT payload with an X.509 certificate.
    #[error("no X.509 certificate was sent (RFC 7296 section 3.6)")]
    Missing,
    /// More than are looked at.
    #[error("more than {0} certificates")]
    TooMany(usize),
    /// Longer than is looked at.
    #[error("a certificate of {0} octets")]
    TooLong(usize),
    /// Not X.509 version 3.
    #[error("malformed certificate")]
    Malformed,
    /// The path to a trust anchor fails (RFC 5280 section 6).
    #[error("{0} (RFC 5280 section 6)")]
    Path(String),
    /// The key may not sign.
    #[error("the certificate's key usage allows no signatures (RFC 4945 section 5.1.3.2)")]
    KeyUsage,
    /// An authority's key may not sign certificates.
    #[error("an intermediate certificate's key usage allows no certificates (RFC 5280 section 4.2.1.3)")]
    AuthorityKeyUsage,
    /// The certificate is somebody else's.
    #[error("the certificate is not for {0} (RFC 4945 section 3.1)")]
    OtherIdentity(Identity),
    /// A peer that is known by its address speaks from another.
    #[error("the peer claims to be {0} and speaks from another address (RFC 4945 section 3.1.1)")]
    OtherAddress(IpAddr),
    /// A key that no supported algorithm goes with.
    #[error("the certificate's public key is of a kind that is not supported")]
    Key,
    /// Signed by an algorithm, or a combination of key and algorithm, that is not supported.
    #[error("the signature's algorithm {0} is not supported")]
    Algorithm(String),
    /// RFC 8247 section 3.2 forbids it.
    #[error("the signature is by SHA-1, which is not accepted (RFC 8247 section 3.2)")]
    Sha1,
    /// Not made by the holder of the certificate's key.
    #[error("the signature is wrong")]
    Signature,
    /// The peer cannot check what our own key signs (RFC 7427 section 4).
    #[error("the peer announces no hash algorithm that goes with our own key (RFC 7427 section 4)")]
    NoCommonHash,
}
