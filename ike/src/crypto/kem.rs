//! Key encapsulation beside the key exchange: ML-KEM (FIPS 203, draft-ietf-ipsecme-ikev2-mlkem).

use std::fmt;

use aws_lc_rs::kem::{Algorithm, AlgorithmId, EncapsulationKey, ML_KEM_768, ML_KEM_1024};
#[cfg(any(test, fuzzing, feature = "testkit"))]
use ml_kem::{ml_kem_768, ml_kem_1024};
use serde::{Deserialize, Serialize};

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

impl Kem {
    /// Transform ID of transform types 4 and 6.
    pub(crate) fn id(self) -> u16 {
        match self {
            Self::MlKem768 => 36,
            Self::MlKem1024 => 37,
        }
    }

    /// Answers the peer's encapsulation key, which must have the length of its set and no coefficient beyond the
    /// modulus (FIPS 203 section 7.2). The randomness is the system's: aws-lc takes no other.
    pub(crate) fn encapsulate(self, peer_public: &[u8]) -> Result<Encapsulated, DhError> {
        let key = EncapsulationKey::new(self.set(), peer_public).map_err(|_| DhError)?;
        let (ciphertext, secret) = key.encapsulate().map_err(|_| DhError)?;
        Ok(Encapsulated {
            ciphertext: ciphertext.as_ref().to_vec(),
            secret: Secret::new(secret.as_ref().to_vec()),
        })
    }

    fn set(self) -> &'static Algorithm<AlgorithmId> {
        match self {
            Self::MlKem768 => &ML_KEM_768,
            Self::MlKem1024 => &ML_KEM_1024,
        }
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

    /// Encapsulated by aws-lc, decapsulated by ml-kem.
    #[test]
    fn both_implementations_have_the_same_secret() {
        for (kem, ciphertext_len) in [(Kem::MlKem768, 1088), (Kem::MlKem1024, 1568)] {
            let ours = DecapsulationKey::generate(kem, &mut counting);
            let theirs = kem.encapsulate(&ours.public()).unwrap();
            assert_eq!(theirs.ciphertext.len(), ciphertext_len);
            assert_eq!(theirs.secret.expose().len(), 32);
            assert_eq!(ours.decapsulate(&theirs.ciphertext), Ok(theirs.secret), "{kem}");
            let again = kem.encapsulate(&ours.public()).unwrap();
            assert_ne!(again.ciphertext, theirs.ciphertext, "{kem}");
        }
    }

    /// The seed counts from 0 to 63. The digest is that of OpenSSL's public value (4.0).
    #[test]
    fn public_values_as_by_another_implementation() {
        for (kem, digest) in [
            (
                Kem::MlKem768,
                "0b7934c83125c788995e2ba6bd761e33046b3e40571be53e023309a29f398cc9",
            ),
            (
                Kem::MlKem1024,
                "c7b8fa0aa471d5ae18922d6ccad5b31e1d84f92ae723abfd13747018740a8530",
            ),
        ] {
            let public = DecapsulationKey::generate(kem, &mut counting).public();
            assert_eq!(sha256(&public), unhex(digest), "{kem}");
        }
    }

    #[test]
    fn keys_of_another_length_or_beyond_the_modulus_are_refused() {
        for kem in [Kem::MlKem768, Kem::MlKem1024] {
            let good = DecapsulationKey::generate(kem, &mut counting).public();
            let encapsulate = |key: &[u8]| kem.encapsulate(key).map(drop);
            assert_eq!(encapsulate(&good), Ok(()));
            let mut beyond = good.clone();
            beyond[..3].fill(0xff);
            for bad in [&[][..], &good[1..], &[&good, &[0][..]].concat(), &beyond] {
                assert_eq!(encapsulate(bad), Err(DhError), "{kem}, {} octets", bad.len());
            }
        }
    }
}
