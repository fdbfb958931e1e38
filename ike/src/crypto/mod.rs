//! The cryptography of IKEv2. Randomness is never drawn here, but for signatures and ML-KEM: whoever calls brings it.

mod aead;
mod cbc;
mod dh;
#[cfg(test)]
mod hex;
mod kem;
mod keys;
mod prf;
mod protection;
mod seeded;
mod signature;
mod suite;

#[cfg(test)]
pub(crate) use hex::unhex;

pub(crate) use aead::AeadKey;
pub(crate) use cbc::CbcKey;
pub use dh::{DhError, DhGroup, DhKeyPair};
pub(crate) use kem::Encapsulated;
pub use kem::Kem;
pub(crate) use keys::{ChildKeys, Fresh, IkeKeys, PaddedPsk, SignedOctets, nat_detection_hash};
pub use prf::Prf;
pub(crate) use prf::PrfKey;
pub(crate) use protection::{OpenError, Protection};
pub(crate) use seeded::{SEED_LEN, Seeded};
pub(crate) use signature::{Algorithm, KeyKind, PublicKey, Sha2, Signer, hash_of_curve};
pub use suite::{IkePolicy, IkeSuite};
