//! Key encapsulation beside the key exchange: ML-KEM (FIPS 203, draft-ietf-ipsecme-ikev2-mlkem).

use std::fmt;

use ml_kem::{B32, ml_kem_768, ml_kem_1024};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::DhError;
use crate::Secret;

/// The method of an additional key exchange (transform type 6, RFC 9370). `Display` writes it as strongSwan's
/// configuration does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kem {
    /// ML-KEM-768.
    MlKem768,
    /// ML-KEM-1024.
    MlKem1024,
}

/// What the encapsulating side sends, and the secret that both have then.
pub(crate) struct Encapsulated {
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) secret: Secret,
}

/// A key of the module's set is not generic: its traits are the crate's own.
macro_rules! encapsulate {
    ($set:ident, $public:expr, $random:expr) => {{
        let key = $public.try_into().map_err(|_| DhError)?;
        let key = $set::EncapsulationKey::new(key).map_err(|_| DhError)?;
        let (ciphertext, secret) = key.encapsulate_deterministic($random);
        let secret = Zeroizing::new(secret);
        Encapsulated {
            ciphertext: ciphertext.to_vec(),
            secret: Secret::new(secret.to_vec()),
        }
    }};
}

impl Kem {
    /// Transform ID of transform types 4 and 6.
    pub(crate) fn id(self) -> u16 {
        match self {
            Self::MlKem768 => 36,
            Self::MlKem1024 => 37,
        }
    }

    /// Answers the peer's encapsulation key, which must have the length of its set and no coefficient beyond the
    /// modulus (FIPS 203 section 7.2). `fill_random` must fill its argument with unpredictable octets.
    pub(crate) fn encapsulate(
        self,
        peer_public: &[u8],
        fill_random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Encapsulated, DhError> {
        let mut random = Zeroizing::new(B32::default());
        fill_random(&mut random);
        Ok(match self {
            Self::MlKem768 => encapsulate!(ml_kem_768, peer_public, &random),
            Self::MlKem1024 => encapsulate!(ml_kem_1024, peer_public, &random),
        })
    }
}

impl fmt::Display for Kem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MlKem768 => "mlkem768",
            Self::MlKem1024 => "mlkem1024",
        })
    }
}

/// The other half, for the testkit's initiator.
#[cfg(any(test, fuzzing, feature = "testkit"))]
pub(crate) struct DecapsulationKey {
    kem: Kem,
    seed: ml_kem::Seed,
}

#[cfg(any(test, fuzzing, feature = "testkit"))]
impl DecapsulationKey {
    pub(crate) fn generate(kem: Kem, fill_random: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut seed = ml_kem::Seed::default();
        fill_random(&mut seed);
        Self { kem, seed }
    }

    pub(crate) fn public(&self) -> Vec<u8> {
        use ml_kem::KeyExport;
        match self.kem {
            Kem::MlKem768 => {
                let key = ml_kem_768::DecapsulationKey::from_seed(self.seed);
                key.encapsulation_key().to_bytes().to_vec()
            }
            Kem::MlKem1024 => {
                let key = ml_kem_1024::DecapsulationKey::from_seed(self.seed);
                key.encapsulation_key().to_bytes().to_vec()
            }
        }
    }

    pub(crate) fn decapsulate(&self, ciphertext: &[u8]) -> Result<Secret, DhError> {
        use ml_kem::Decapsulate;
        let secret = match self.kem {
            Kem::MlKem768 => {
                let ciphertext = ciphertext.try_into().map_err(|_| DhError)?;
                ml_kem_768::DecapsulationKey::from_seed(self.seed).decapsulate(ciphertext)
            }
            Kem::MlKem1024 => {
                let ciphertext = ciphertext.try_into().map_err(|_| DhError)?;
                ml_kem_1024::DecapsulationKey::from_seed(self.seed).decapsulate(ciphertext)
            }
        };
        Ok(Secret::new(secret.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use ring::digest;

    use super::*;
    use crate::crypto::unhex;

    fn sha256(octets: &[u8]) -> Vec<u8> {
        digest::digest(&digest::SHA256, octets).as_ref().to_vec()
    }

    fn counting(buffer: &mut [u8]) {
        buffer
            .iter_mut()
            .zip(0..)
            .for_each(|(octet, value)| *octet = value);
    }

    /// The seed counts from 0 to 63, the random octets from 0 to 31. The digest of the public value is that of OpenSSL's
    /// (4.0), the secret SHA3-512(random | SHA3-256(public)) from Python's hashlib (FIPS 203 section 6.2).
    #[test]
    fn secrets_as_by_another_implementation() {
        for (kem, ciphertext_len, public_digest, secret) in [
            (
                Kem::MlKem768,
                1088,
                "0b7934c83125c788995e2ba6bd761e33046b3e40571be53e023309a29f398cc9",
                "42f558b0bc5d700a911b0fc67f62376f7aee4667f1969e03f18bdfdf3c59fbdc",
            ),
            (
                Kem::MlKem1024,
                1568,
                "c7b8fa0aa471d5ae18922d6ccad5b31e1d84f92ae723abfd13747018740a8530",
                "738a88cd9a25861e9a37c65a67ec1b39f069aed9646ede89410ace47a96a9b57",
            ),
        ] {
            let ours = DecapsulationKey::generate(kem, &mut counting);
            assert_eq!(sha256(&ours.public()), unhex(public_digest), "{kem}");
            let theirs = kem.encapsulate(&ours.public(), &mut counting).unwrap();
            assert_eq!(theirs.ciphertext.len(), ciphertext_len);
            assert_eq!(theirs.secret.expose(), unhex(secret), "{kem}");
            assert_eq!(ours.decapsulate(&theirs.ciphertext), Ok(theirs.secret), "{kem}");
        }
    }

    #[test]
    fn keys_of_another_length_or_beyond_the_modulus_are_refused() {
        for kem in [Kem::MlKem768, Kem::MlKem1024] {
            let good = DecapsulationKey::generate(kem, &mut counting).public();
            let encapsulate = |key: &[u8]| kem.encapsulate(key, &mut counting).map(drop);
            assert_eq!(encapsulate(&good), Ok(()));
            let mut beyond = good.clone();
            beyond[..3].fill(0xff);
            for bad in [&[][..], &good[1..], &[&good, &[0][..]].concat(), &beyond] {
                assert_eq!(encapsulate(bad), Err(DhError), "{kem}, {} octets", bad.len());
            }
        }
    }
}
