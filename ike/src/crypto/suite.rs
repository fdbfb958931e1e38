//! What two peers agree on for an IKE SA.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{DhGroup, Prf};

/// The algorithms of an IKE SA. `Display` writes it the way strongSwan's configuration does:
/// `aes256gcm16-prfsha384-ecp384`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IkeSuite {
    /// Protects the messages.
    pub cipher: IkeCipher,
    /// Derives keys and computes AUTH.
    pub prf: Prf,
    /// Agrees on the shared secret.
    pub dh: DhGroup,
}

/// The encryption of SK payloads (transform type 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum IkeCipher {
    /// ENCR_AES_GCM_16 (RFC 5282) with a 128-bit key.
    Aes128Gcm16,
    /// ENCR_AES_GCM_16 (RFC 5282) with a 256-bit key.
    Aes256Gcm16,
}

impl IkeCipher {
    /// Transform ID of transform type 1.
    pub(crate) fn id(self) -> u16 {
        20
    }

    /// The key length attribute of the transform.
    pub(crate) fn key_bits(self) -> u16 {
        match self {
            Self::Aes128Gcm16 => 128,
            Self::Aes256Gcm16 => 256,
        }
    }

    /// Octets of SK_ei and of SK_er: the key and 4 octets of salt (RFC 5282 section 7.1).
    pub(crate) fn key_len(self) -> usize {
        usize::from(self.key_bits()) / 8 + 4
    }
}

impl fmt::Display for IkeSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.cipher, self.prf, self.dh)
    }
}

impl fmt::Display for IkeCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "aes{}gcm16", self.key_bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_written_as_strongswan_writes_them() {
        let suite = IkeSuite {
            cipher: IkeCipher::Aes256Gcm16,
            prf: Prf::HmacSha384,
            dh: DhGroup::P384,
        };
        assert_eq!(suite.to_string(), "aes256gcm16-prfsha384-ecp384");
        let suite = IkeSuite {
            cipher: IkeCipher::Aes128Gcm16,
            prf: Prf::HmacSha256,
            dh: DhGroup::Curve25519,
        };
        assert_eq!(suite.to_string(), "aes128gcm16-prfsha256-curve25519");
    }
}
