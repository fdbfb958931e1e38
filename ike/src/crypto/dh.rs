//! Key exchange: Curve25519 (RFC 8031) and the P-256 and P-384 curves (RFC 5903).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Secret;

/// A key exchange group (transform type 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DhGroup {
    /// Group 31 (RFC 8031).
    Curve25519,
    /// Group 19, the 256-bit random ECP group (RFC 5903).
    P256,
    /// Group 20, the 384-bit random ECP group (RFC 5903).
    P384,
}

impl DhGroup {
    /// Transform ID of transform type 4.
    pub(crate) fn id(self) -> u16 {
        match self {
            Self::P256 => 19,
            Self::P384 => 20,
            Self::Curve25519 => 31,
        }
    }
}

impl fmt::Display for DhGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Curve25519 => "curve25519",
            Self::P256 => "ecp256",
            Self::P384 => "ecp384",
        })
    }
}

/// A private key that is used once, and its public value.
pub(crate) struct DhKeyPair {}

impl DhKeyPair {
    /// `fill_random` must fill its argument with unpredictable octets.
    pub(crate) fn generate(group: DhGroup, fill_random: &mut dyn FnMut(&mut [u8])) -> Self {
        let _ = (group, fill_random);
        todo!()
    }

    /// As it stands in the KE payload.
    pub(crate) fn public(&self) -> &[u8] {
        todo!()
    }

    /// The shared secret g^ir with the peer's public value.
    pub(crate) fn agree(self, peer_public: &[u8]) -> Result<Secret, DhError> {
        let _ = peer_public;
        todo!()
    }
}

/// The peer's public value is not one of the group: INVALID_SYNTAX, since the group itself was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer's public value is not valid in its group")]
pub(crate) struct DhError;
