//! What is wrong with a message, and what RFC 7296 section 2.21 wants answered.

use super::Header;

/// Why a message was not decoded. `Display` is for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// Not an IKE message that could be answered: dropped.
    #[error("not an IKEv2 message: {0}")]
    NotIke(&'static str),
    /// A major version above 2: INVALID_MAJOR_VERSION (RFC 7296 section 2.5). The header is there to address the answer.
    #[error("major version {} is not supported", .0.version >> 4)]
    MajorVersion(Header),
    /// A type, length or value is out of range: INVALID_SYNTAX, which may be answered only to a message that is
    /// authentic (RFC 7296 section 3.10.1).
    #[error("invalid syntax: {0}")]
    Syntax(&'static str),
    /// More payloads than are looked at: an authentic message with so many is refused, since nothing in it is known to be wrong.
    #[error("too many payloads")]
    TooManyPayloads,
    /// A payload of this type is marked critical and not known here: UNSUPPORTED_CRITICAL_PAYLOAD (RFC 7296
    /// section 2.5).
    #[error("payload type {0} is critical and not supported")]
    CriticalPayload(u8),
}
