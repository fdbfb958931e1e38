//! Suites as proposals say them: a transform of each type (RFC 7296 section 3.3.2).

use crate::wire::{Proposal, Protocol, Transform, TransformType};
use crate::{Cipher, DhGroup, EspSuite, IkeSuite, Integrity, Kem, Prf};

/// ENCR_NULL (RFC 2410).
const ENCR_NULL: u16 = 11;
/// The transform ID that means "none of this type", and "no extended sequence numbers" for their type.
pub(crate) const NONE: u16 = 0;

/// What we offer for an IKE SA that shall have `spi`.
pub(crate) fn ike_offer(suite: IkeSuite, spi: &[u8; 8]) -> Vec<Proposal<'_>> {
    vec![Proposal {
        number: 1,
        protocol: Protocol::Ike,
        spi,
        transforms: ike_transforms(suite),
    }]
}

/// What we offer for a child SA that receives with `spi`: with a key exchange of one of these groups, or without for
/// peers that want none, each as a proposal of its own, since some do not know NONE among groups.
pub(crate) fn esp_offer<'a>(suite: EspSuite, groups: &[DhGroup], spi: &'a [u8; 4]) -> Vec<Proposal<'a>> {
    let without = esp_transforms(suite);
    let mut with = without.clone();
    with.extend(groups.iter().copied().map(key_exchange));
    let proposal = |(number, transforms)| Proposal {
        number,
        protocol: Protocol::Esp,
        spi,
        transforms,
    };
    [(1, with), (2, without)].map(proposal).to_vec()
}

/// Which of the proposals that we offered the peer has taken, by its answer to them (RFC 7296 section 2.7).
pub(crate) fn taken<'o, 'a>(offer: &'o [Proposal<'a>], answer: &[Proposal<'_>]) -> Option<&'o Proposal<'a>> {
    let [answer] = answer else {
        return None;
    };
    let is_same = |proposal: &&Proposal<'_>| {
        proposal.number == answer.number
            && proposal.protocol == answer.protocol
            && proposal.spi.len() == answer.spi.len()
            && proposal.transforms.len() == answer.transforms.len()
            && proposal
                .transforms
                .iter()
                .all(|it| answer.transforms.contains(it))
    };
    offer.iter().find(is_same)
}

/// One transform of each type that a proposal for an IKE SA has to have.
pub(crate) fn ike_transforms(suite: IkeSuite) -> Vec<Transform> {
    let mut transforms = in_a_row(encryption(suite.cipher));
    transforms.extend([prf(suite.prf), key_exchange(suite.dh)]);
    transforms
}

/// One transform of each type that a proposal for ESP has to have.
pub(crate) fn esp_transforms(suite: EspSuite) -> Vec<Transform> {
    let mut transforms = esp_protection(suite);
    transforms.push(Transform::new(TransformType::ExtendedSequenceNumbers, NONE));
    transforms
}

/// The same without what it says of extended sequence numbers.
pub(crate) fn esp_protection(suite: EspSuite) -> Vec<Transform> {
    in_a_row(match suite {
        EspSuite::Encrypted(cipher) => encryption(cipher),
        EspSuite::Null(it) => (
            Transform::new(TransformType::Encryption, ENCR_NULL),
            Some(integrity(it)),
        ),
    })
}

/// Encryption, and integrity where it is a transform of its own.
pub(crate) type Protection = (Transform, Option<Transform>);

pub(crate) fn encryption(cipher: Cipher) -> Protection {
    let encryption = Transform {
        key_bits: cipher.key_bits(),
        ..Transform::new(TransformType::Encryption, cipher.id())
    };
    (encryption, cipher.integrity().map(integrity))
}

fn in_a_row((encryption, integrity): Protection) -> Vec<Transform> {
    [encryption].into_iter().chain(integrity).collect()
}

fn integrity(integrity: Integrity) -> Transform {
    Transform::new(TransformType::Integrity, integrity.id())
}

pub(crate) fn prf(prf: Prf) -> Transform {
    Transform::new(TransformType::Prf, prf.id())
}

pub(crate) fn additional_key_exchange(kem: Kem) -> Transform {
    Transform::new(TransformType::AdditionalKeyExchange1, kem.id())
}

pub(crate) fn key_exchange(group: DhGroup) -> Transform {
    Transform::new(TransformType::KeyExchange, group.id())
}
