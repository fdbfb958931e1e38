//! Which proposal of a peer's came nearest, and what of it did not fit: for the operator's log.

use crate::Mismatch;
use crate::negotiation::proposals::{NONE, fits};
use crate::wire::{Proposal, Transform, TransformType};

/// Transforms of one type that are written out; a stranger can name hundreds.
const MAX_NAMED: usize = 8;

/// What is accepted here.
pub(crate) struct Wanted {
    /// By transform type, in the order in which they are compared.
    pub(crate) kinds: Vec<(TransformType, Vec<Transform>)>,
    /// What goes with ciphers that have no integrity of their own.
    pub(crate) integrity: Vec<Transform>,
}

/// Compares each of `proposals`, none of which was accepted, with what is wanted.
pub(crate) fn mismatch<'p, 'a: 'p>(
    proposals: impl Iterator<Item = &'p Proposal<'a>>,
    wanted: &Wanted,
) -> Mismatch {
    let compared = proposals.map(|proposal| (misfit(proposal, wanted), proposal));
    // Of several that are equally near, the first.
    let nearest = compared.reduce(|best, next| match next.0.0 > best.0.0 {
        true => next,
        false => best,
    });
    let text = nearest.map(|((_, kind), proposal)| {
        let theirs = proposal.transforms.iter().filter(|it| it.kind == kind);
        let ours = wanted.kinds.iter().find(|(other, _)| *other == kind);
        let ours = match (ours, kind) {
            (Some((_, ours)), _) => ours.as_slice(),
            (None, TransformType::Integrity) => wanted.integrity.as_slice(),
            (None, _) => &[],
        };
        format!(
            "proposal {} has {} {}, ours: {}",
            proposal.number,
            kind_name(kind),
            list(theirs),
            list(ours.iter())
        )
    });
    Mismatch::new(text.unwrap_or_default())
}

/// How far a proposal fits, and the transform type at which it does not.
fn misfit(proposal: &Proposal<'_>, wanted: &Wanted) -> (usize, TransformType) {
    let of_kind = |kind| proposal.transforms.iter().filter(move |it| it.kind == kind);
    for (rank, (kind, ours)) in wanted.kinds.iter().enumerate() {
        let is_implied = *kind == TransformType::ExtendedSequenceNumbers && of_kind(*kind).next().is_none();
        if !is_implied && !of_kind(*kind).any(|it| ours.iter().any(|ours| fits(it, ours))) {
            return (rank, *kind);
        }
    }
    let count = wanted.kinds.len();
    let is_wanted = |kind| kind == TransformType::Integrity || wanted.kinds.iter().any(|(it, _)| *it == kind);
    let other = proposal.transforms.iter().find(|transform| {
        let kind = transform.kind;
        !is_wanted(kind)
            && (matches!(kind, TransformType::Other(_)) || !of_kind(kind).any(|it| it.id == NONE))
    });
    match other {
        Some(transform) => (count, transform.kind),
        None => (count + 1, TransformType::Integrity),
    }
}

fn list<'t>(transforms: impl Iterator<Item = &'t Transform>) -> String {
    let mut named: Vec<_> = transforms.map(name).collect();
    named.dedup();
    if named.is_empty() {
        return "none at all".into();
    }
    let more = named.len().saturating_sub(MAX_NAMED);
    named.truncate(MAX_NAMED);
    let mut text = named.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn kind_name(kind: TransformType) -> String {
    match kind {
        TransformType::Encryption => "encryption".into(),
        TransformType::Prf => "PRF".into(),
        TransformType::Integrity => "integrity".into(),
        TransformType::KeyExchange => "key exchange".into(),
        TransformType::ExtendedSequenceNumbers => "sequence numbers".into(),
        TransformType::AdditionalKeyExchange1 => "additional key exchange 1".into(),
        TransformType::LaterAdditionalKeyExchange(number) => {
            format!("additional key exchange {}", number.saturating_sub(5))
        }
        TransformType::Other(number) => format!("transform type {number}"),
    }
}

/// A transform ID by its name, where it is a usual one, with key length.
fn name(transform: &Transform) -> String {
    let name = match (transform.kind, transform.id) {
        (TransformType::Encryption, 3) => "3des",
        (TransformType::Encryption, 11) => "null",
        (TransformType::Encryption, 12) => "aes-cbc",
        (TransformType::Encryption, 13) => "aes-ctr",
        (TransformType::Encryption, 16) => "aes-ccm-16",
        (TransformType::Encryption, 18) => "aes-gcm-8",
        (TransformType::Encryption, 19) => "aes-gcm-12",
        (TransformType::Encryption, 20) => "aes-gcm-16",
        (TransformType::Encryption, 28) => "chacha20-poly1305",
        (TransformType::Prf, 2) => "sha1",
        (TransformType::Prf, 5) | (TransformType::Integrity, 12) => "sha2-256",
        (TransformType::Prf, 6) | (TransformType::Integrity, 13) => "sha2-384",
        (TransformType::Prf, 7) | (TransformType::Integrity, 14) => "sha2-512",
        (TransformType::Integrity, 2) => "sha1-96",
        (TransformType::KeyExchange, 2) => "modp1024",
        (TransformType::KeyExchange, 5) => "modp1536",
        (TransformType::KeyExchange, 14) => "modp2048",
        (TransformType::KeyExchange, 15) => "modp3072",
        (TransformType::KeyExchange, 16) => "modp4096",
        (TransformType::KeyExchange, 18) => "modp8192",
        (TransformType::KeyExchange, 19) => "ecp256",
        (TransformType::KeyExchange, 20) => "ecp384",
        (TransformType::KeyExchange, 21) => "ecp521",
        (TransformType::KeyExchange, 31) => "curve25519",
        (TransformType::KeyExchange, 32) => "curve448",
        (TransformType::ExtendedSequenceNumbers, 0) => "32 bits",
        (TransformType::ExtendedSequenceNumbers, 1) => "64 bits",
        (
            TransformType::AdditionalKeyExchange1 | TransformType::LaterAdditionalKeyExchange(_),
            id @ 35..=37,
        ) => ["mlkem512", "mlkem768", "mlkem1024"]
            .get(usize::from(id - 35))
            .copied()
            .unwrap_or_default(),
        (_, NONE) => "none",
        _ => "unnamed",
    };
    let bits = transform
        .key_bits
        .map(|bits| format!(", {bits} bits"))
        .unwrap_or_default();
    let unknown = match transform.unknown_attribute {
        true => ", an unknown attribute",
        false => "",
    };
    format!("{name} ({}{bits}{unknown})", transform.id)
}
