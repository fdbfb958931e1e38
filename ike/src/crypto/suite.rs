//! What two peers agree on for an IKE SA.

use std::fmt;

use ike_types::{Cipher, Integrity};
use serde::{Deserialize, Serialize};

use super::{DhGroup, Kem, Prf};

/// The algorithms of an IKE SA. `Display` writes it the way strongSwan's configuration does:
/// `aes256gcm16-prfsha384-ecp384`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IkeSuite {
    /// Protects the messages.
    pub cipher: Cipher,
    /// Derives keys and computes AUTH.
    pub prf: Prf,
    /// Agrees on the shared secret.
    pub dh: DhGroup,
}

/// What IKE SAs may be made of, each list most wanted first. Additional key exchanges count before groups, groups
/// before ciphers, ciphers before PRFs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IkePolicy {
    /// Methods of an additional key exchange (RFC 9370). A proposal with one goes before all without.
    pub kems: Vec<Kem>,
    /// Groups of the key exchange.
    pub dh: Vec<DhGroup>,
    /// Ciphers of the messages.
    pub ciphers: Vec<Cipher>,
    /// Pseudorandom functions.
    pub prfs: Vec<Prf>,
}

/// All there is, which is stronger than anything that RFC 8247 advises against: groups of 128 bits of strength and
/// more from the cheapest on, then the one of less; ciphers with integrity of their own first, of these the ones with hardware's help; the shortest PRF,
/// since the others cost more and none is weak.
impl Default for IkePolicy {
    fn default() -> Self {
        let mut ciphers = vec![Cipher::Aes256Gcm16, Cipher::Aes128Gcm16, Cipher::ChaCha20Poly1305];
        for cbc in [Cipher::Aes256Cbc, Cipher::Aes128Cbc] {
            ciphers.extend(Integrity::ALL.map(cbc));
        }
        Self {
            kems: vec![Kem::MlKem768, Kem::MlKem1024],
            dh: vec![
                DhGroup::Curve25519,
                DhGroup::P256,
                DhGroup::P384,
                DhGroup::Modp3072,
                DhGroup::Modp4096,
                DhGroup::Modp2048,
            ],
            ciphers,
            prfs: vec![Prf::HmacSha256, Prf::HmacSha384, Prf::HmacSha512],
        }
    }
}

impl fmt::Display for IkeSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.cipher, self.prf, self.dh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_written_as_strongswan_writes_them() {
        for (cipher, prf, dh, written) in [
            (
                Cipher::Aes256Gcm16,
                Prf::HmacSha384,
                DhGroup::P384,
                "aes256gcm16-prfsha384-ecp384",
            ),
            (
                Cipher::ChaCha20Poly1305,
                Prf::HmacSha256,
                DhGroup::Curve25519,
                "chacha20poly1305-prfsha256-curve25519",
            ),
            (
                Cipher::Aes128Cbc(Integrity::HmacSha512),
                Prf::HmacSha512,
                DhGroup::P256,
                "aes128-sha512-prfsha512-ecp256",
            ),
        ] {
            assert_eq!(IkeSuite { cipher, prf, dh }.to_string(), written);
        }
    }
}
