//! Pseudorandom functions and prf+ (RFC 7296 section 2.13).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A pseudorandom function (transform type 2), HMAC with SHA-2 (RFC 4868).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Prf {
    /// PRF_HMAC_SHA2_256.
    HmacSha256,
    /// PRF_HMAC_SHA2_384.
    HmacSha384,
    /// PRF_HMAC_SHA2_512.
    HmacSha512,
}

impl Prf {
    /// Transform ID of transform type 2.
    pub(crate) fn id(self) -> u16 {
        match self {
            Self::HmacSha256 => 5,
            Self::HmacSha384 => 6,
            Self::HmacSha512 => 7,
        }
    }

    /// Octets of output, which is also the preferred key length (RFC 7296 section 2.13).
    pub(crate) fn len(self) -> usize {
        match self {
            Self::HmacSha256 => 32,
            Self::HmacSha384 => 48,
            Self::HmacSha512 => 64,
        }
    }
}

impl fmt::Display for Prf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "prfsha{}", self.len() * 8)
    }
}
