//! Suites as proposals say them: a transform of each type (RFC 7296 section 3.3.2).

use crate::wire::{Proposal, Protocol, Transform, TransformType};
use crate::{Cipher, DhGroup, EspSuite, IkeSuite, Integrity, Kem, Prf};

/// ENCR_NULL (RFC 2410).
const ENCR_NULL: u16 = 11;
/// The one length of its keys (RFC 7634 section 2).
const CHACHA20_POLY1305_BITS: u16 = 256;
/// The transform ID that means "none of this type", and "no extended sequence numbers" for their type.
pub(crate) const NONE: u16 = 0;

/// What we offer for an IKE SA that shall have `spi`: with one of these additional key exchanges, if there are, or without.
pub(crate) fn ike_offer<'a>(suite: IkeSuite, kems: &[Kem], spi: &'a [u8; 8]) -> Vec<Proposal<'a>> {
    let without = ike_transforms(suite);
    let more = with_additional(&without, kems);
    numbered(Protocol::Ike, spi, more.into_iter().chain([without]))
}

/// What we offer for a child SA that receives with `spi`: with a key exchange of one of these groups, before that with an
/// additional one of these besides, if there are, and at last without any for peers that want none. Each is a proposal of its
/// own, since some do not know NONE among groups.
pub(crate) fn esp_offer<'a>(
    suite: EspSuite,
    groups: &[DhGroup],
    kems: &[Kem],
    spi: &'a [u8; 4],
) -> Vec<Proposal<'a>> {
    let without = esp_transforms(suite);
    let mut with = without.clone();
    with.extend(groups.iter().copied().map(key_exchange));
    let more = with_additional(&with, kems);
    numbered(Protocol::Esp, spi, more.into_iter().chain([with, without]))
}

fn with_additional(transforms: &[Transform], kems: &[Kem]) -> Option<Vec<Transform>> {
    let additional = kems.iter().copied().map(additional_key_exchange);
    (!kems.is_empty()).then(|| transforms.iter().copied().chain(additional).collect())
}

/// Proposals, the most wanted first (RFC 7296 section 3.3.1).
fn numbered(
    protocol: Protocol,
    spi: &[u8],
    choices: impl Iterator<Item = Vec<Transform>>,
) -> Vec<Proposal<'_>> {
    let proposal = |(transforms, number)| Proposal {
        number,
        protocol,
        spi,
        transforms,
    };
    choices.zip(1..).map(proposal).collect()
}

/// What the peer has taken of our offer, by its answer: one proposal, with "exactly one transform of each type" that ours has
/// (RFC 7296 section 2.7). A NONE of a type that ours does not have changes nothing, nor does silence about 32-bit sequence
/// numbers.
pub(crate) fn taken<'p, 'a>(offer: &[Proposal<'_>], answer: &'p [Proposal<'a>]) -> Option<&'p Proposal<'a>> {
    let [answer] = answer else {
        return None;
    };
    let ours = offer.iter().find(|ours| ours.number == answer.number)?;
    let count = |kind| answer.transforms.iter().filter(|it| it.kind == kind).count();
    let is_single = |kind| match kind {
        TransformType::ExtendedSequenceNumbers => count(kind) <= 1,
        _ => count(kind) == 1,
    };
    let is_offered = |it: &Transform| ours.transforms.iter().any(|ours| fits(it, ours));
    let is_harmless = |it: &Transform| {
        let is_ours = ours.transforms.iter().any(|ours| ours.kind == it.kind);
        !is_ours && *it == Transform::new(it.kind, NONE) && may_be_none(it.kind)
    };
    let is_taken = ours.protocol == answer.protocol
        && ours.spi.len() == answer.spi.len()
        && answer
            .transforms
            .iter()
            .all(|it| is_offered(it) || is_harmless(it))
        && ours.transforms.iter().all(|it| is_single(it.kind));
    is_taken.then_some(answer)
}

/// Types of which NONE stands for leaving them out (RFC 7296 section 3.3.2, RFC 9370 section 2.2.2).
fn may_be_none(kind: TransformType) -> bool {
    match kind {
        TransformType::Integrity
        | TransformType::KeyExchange
        | TransformType::AdditionalKeyExchange1
        | TransformType::LaterAdditionalKeyExchange(_) => true,
        TransformType::Encryption
        | TransformType::Prf
        | TransformType::ExtendedSequenceNumbers
        | TransformType::Other(_) => false,
    }
}

/// One transform of each type that a proposal for an IKE SA has to have.
pub(crate) fn ike_transforms(suite: IkeSuite) -> Vec<Transform> {
    let mut transforms = in_a_row(encryption(suite.cipher));
    transforms.extend([prf(suite.prf), key_exchange(suite.dh)]);
    transforms
}

/// One transform of each type that a proposal for ESP has to have.
pub(crate) fn esp_transforms(suite: EspSuite) -> Vec<Transform> {
    let mut transforms = in_a_row(match suite {
        EspSuite::Encrypted(cipher) => encryption(cipher),
        EspSuite::Null(it) => (
            Transform::new(TransformType::Encryption, ENCR_NULL),
            Some(integrity(it)),
        ),
    });
    transforms.push(Transform::new(TransformType::ExtendedSequenceNumbers, NONE));
    transforms
}

/// Whether a peer's transform is what is wanted: the very same, or ChaCha20-Poly1305 with its only key length spelled out, which
/// RFC 7296 section 3.3.5 forbids for ciphers of one length, and which some send all the same (docs/algorithms.md).
pub(crate) fn fits(theirs: &Transform, wanted: &Transform) -> bool {
    let needless = Transform {
        key_bits: Some(CHACHA20_POLY1305_BITS),
        ..*wanted
    };
    theirs == wanted || (is_chacha20_poly1305(wanted) && *theirs == needless)
}

fn is_chacha20_poly1305(transform: &Transform) -> bool {
    transform.kind == TransformType::Encryption && transform.id == Cipher::ChaCha20Poly1305.id()
}

/// Encryption, and integrity where it is a transform of its own.
pub(crate) type CipherTransforms = (Transform, Option<Transform>);

pub(crate) fn encryption(cipher: Cipher) -> CipherTransforms {
    let encryption = Transform {
        key_bits: cipher.key_bits(),
        ..Transform::new(TransformType::Encryption, cipher.id())
    };
    (encryption, cipher.integrity().map(integrity))
}

fn in_a_row((encryption, integrity): CipherTransforms) -> Vec<Transform> {
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
