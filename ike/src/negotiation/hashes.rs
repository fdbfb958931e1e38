//! Hash algorithms for signatures, as each side announces them to the other (RFC 7427 section 4).

use crate::crypto::{Algorithm, Sha2};
use crate::wire::{NotifyType, Payload};

/// Hash algorithms by their numbers (RFC 7427 section 7, RFC 8420 section 2).
const HASHES: [(u16, Hash); 4] = [
    (2, Hash::Sha2(Sha2::Sha256)),
    (3, Hash::Sha2(Sha2::Sha384)),
    (4, Hash::Sha2(Sha2::Sha512)),
    (5, Hash::Identity),
];

/// What a signature hashes the message with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha2(Sha2),
    /// Nothing: Ed25519 signs the message itself.
    Identity,
}

/// Hash algorithms that a peer announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hashes(Vec<Hash>);

impl Hashes {
    /// `None` when the peer does not know RFC 7427. Those not known here, SHA-1 among them, are left out.
    pub(crate) fn read(payloads: &[Payload<'_>]) -> Option<Self> {
        let announced = NotifyType::SIGNATURE_HASH_ALGORITHMS.data_in(payloads)?;
        let (numbers, _) = announced.as_chunks();
        let announces = |number: u16| numbers.iter().any(|octets| u16::from_be_bytes(*octets) == number);
        let known = HASHES.into_iter().filter(|(number, _)| announces(*number));
        Some(Self(known.map(|(_, hash)| hash).collect()))
    }

    /// What we announce: data of SIGNATURE_HASH_ALGORITHMS.
    pub(crate) fn ours() -> Vec<u8> {
        HASHES
            .iter()
            .flat_map(|(number, _)| number.to_be_bytes())
            .collect()
    }

    pub(crate) fn first_sha2(&self) -> Option<Sha2> {
        self.0.iter().find_map(|hash| match hash {
            Hash::Sha2(sha2) => Some(*sha2),
            Hash::Identity => None,
        })
    }

    /// This one if it is announced, or else the longest that is.
    pub(crate) fn best_sha2(&self, wanted: Sha2) -> Option<Sha2> {
        let choices = [wanted, Sha2::Sha512, Sha2::Sha384, Sha2::Sha256];
        choices.into_iter().find(|it| self.0.contains(&Hash::Sha2(*it)))
    }

    pub(crate) fn has(&self, algorithm: Algorithm) -> bool {
        let hash = match algorithm {
            Algorithm::RsaPkcs1(sha2) | Algorithm::RsaPss(sha2) => Hash::Sha2(sha2),
            Algorithm::Ecdsa(sha2) | Algorithm::EcdsaPlain(sha2) => Hash::Sha2(sha2),
            Algorithm::Ed25519 => Hash::Identity,
        };
        self.0.contains(&hash)
    }
}
