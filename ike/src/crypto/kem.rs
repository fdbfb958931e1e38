//! Key encapsulation beside the key exchange: ML-KEM (FIPS 203, draft-ietf-ipsecme-ikev2-mlkem).

use std::fmt;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::kem::{
    Algorithm, AlgorithmId, Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768, ML_KEM_1024,
};
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

/// What the side that begins keeps, and what it sends.
pub(crate) struct KemKeyPair {
    /// For [`Kem::decapsulate`]. In octets, since another process may have to go on with it.
    pub(crate) private: Secret,
    pub(crate) public: Vec<u8>,
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

    /// A key pair of the system's own randomness. `None` when it gives none.
    pub(crate) fn key_pair(self) -> Option<KemKeyPair> {
        let generate = || {
            let key = DecapsulationKey::generate(self.set())?;
            Ok::<_, Unspecified>(KemKeyPair {
                private: Secret::new(key.key_bytes()?.as_ref().to_vec()),
                public: key.encapsulation_key()?.key_bytes()?.as_ref().to_vec(),
            })
        };
        generate().ok()
    }

    /// The secret that the peer has encapsulated for the `private` key, whose length is that of its set. A ciphertext of the
    /// right length that was made for another key gives another secret, which nobody has (FIPS 203 section 6.3).
    pub(crate) fn decapsulate(self, private: &Secret, ciphertext: &[u8]) -> Result<Secret, DhError> {
        let key = DecapsulationKey::new(self.set(), private.expose()).map_err(|_| DhError)?;
        let secret = key
            .decapsulate(Ciphertext::from(ciphertext))
            .map_err(|_| DhError)?;
        Ok(Secret::new(secret.as_ref().to_vec()))
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

#[cfg(test)]
mod tests {
    use super::*;

    const KEMS: [Kem; 2] = [Kem::MlKem768, Kem::MlKem1024];

    /// The lengths are those of FIPS 203 table 3. The key has been octets in between.
    #[test]
    fn both_sides_have_the_same_secret() {
        for (kem, public_len, ciphertext_len) in [(Kem::MlKem768, 1184, 1088), (Kem::MlKem1024, 1568, 1568)] {
            let ours = kem.key_pair().unwrap();
            let theirs = kem.encapsulate(&ours.public).unwrap();
            assert_eq!(
                (ours.public.len(), theirs.ciphertext.len()),
                (public_len, ciphertext_len)
            );
            assert_eq!(theirs.secret.expose().len(), 32);
            assert_eq!(
                kem.decapsulate(&ours.private, &theirs.ciphertext),
                Ok(theirs.secret),
                "{kem}"
            );
        }
    }

    #[test]
    fn neither_half_comes_twice() {
        for kem in KEMS {
            let ours = kem.key_pair().unwrap();
            assert_ne!(kem.key_pair().unwrap().public, ours.public, "{kem}");
            let [one, other] = [(); 2].map(|()| kem.encapsulate(&ours.public).unwrap().ciphertext);
            assert_ne!(one, other, "{kem}");
        }
    }

    #[test]
    fn keys_of_another_length_or_beyond_the_modulus_are_refused() {
        for kem in KEMS {
            let good = kem.key_pair().unwrap().public;
            let encapsulate = |key: &[u8]| kem.encapsulate(key).map(drop);
            assert_eq!(encapsulate(&good), Ok(()));
            let mut beyond = good.clone();
            beyond[..3].fill(0xff);
            for bad in [&[][..], &good[1..], &[&good, &[0][..]].concat(), &beyond] {
                assert_eq!(encapsulate(bad), Err(DhError), "{kem}, {} octets", bad.len());
            }
        }
    }

    #[test]
    fn ciphertexts_of_another_length_are_refused() {
        for kem in KEMS {
            let ours = kem.key_pair().unwrap();
            let good = kem.encapsulate(&ours.public).unwrap().ciphertext;
            for bad in [&[][..], &good[1..], &[&good, &[0][..]].concat()] {
                assert_eq!(
                    kem.decapsulate(&ours.private, bad),
                    Err(DhError),
                    "{kem}, {} octets",
                    bad.len()
                );
            }
        }
    }
}
