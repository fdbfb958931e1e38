//! Choice of a suite from the peer's proposals (RFC 7296 sections 2.7 and 3.3.6), by our order of preference.

use crate::Weak;
use crate::negotiation::mismatch::{Wanted, mismatch};
use crate::negotiation::proposals::{
    CipherTransforms, NONE, additional_key_exchange, encryption, esp_transforms, fits, ike_transforms,
    key_exchange, prf,
};
use crate::negotiation::weak;
use crate::wire::{Proposal, Protocol, Transform, TransformType};
use crate::{DhGroup, EspSuite, IkePolicy, IkeSuite, Kem, Mismatch};

/// Octets of our nonces: half of the longest PRF's key (RFC 7296 section 2.10).
pub(crate) const NONCE_LEN: usize = 32;

/// The suite and the proposal that answers with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chosen<'a, S> {
    pub(crate) suite: S,
    /// The peer's number, and SPI, with one transform of each type.
    pub(crate) answer: Proposal<'a>,
}

/// For IKE_SA_INIT: of what the proposals allow, the first additional key exchange of `kems` or none, with it the
/// first group of `policy`, with both the first cipher, and with all of them the first PRF. The transforms of a proposal are chosen
/// type by type, so the cost grows with what the peer sends alone, and not with the number of suites.
pub(crate) fn ike_suite<'a>(
    policy: &IkePolicy,
    kems: &[Kem],
    proposals: &[Proposal<'a>],
) -> Option<(Chosen<'a, IkeSuite>, Option<Kem>)> {
    let chosen = usable_for_ike(proposals).filter_map(|proposal| {
        let offers = |transform: Transform| proposal.transforms.contains(&transform);
        let kem = first(kems, |kem| offers(additional_key_exchange(kem)));
        let (dh_rank, dh) = first(&policy.dh, |dh| offers(key_exchange(dh)))?;
        let (cipher_rank, cipher) = first(&policy.ciphers, |cipher| protects(proposal, encryption(cipher)))?;
        let (prf_rank, prf) = first(&policy.prfs, |it| offers(prf(it)))?;
        let suite = IkeSuite { cipher, prf, dh };
        let mut wanted = ike_transforms(suite);
        wanted.extend(kem.map(|(_, kem)| additional_key_exchange(kem)));
        let chosen = accept(proposal, suite, &wanted)?;
        let kem_rank = kem.map_or(kems.len(), |(rank, _)| rank);
        Some((
            (kem_rank, dh_rank, cipher_rank, prf_rank),
            (chosen, kem.map(|(_, kem)| kem)),
        ))
    });
    chosen.min_by_key(|(rank, _)| *rank).map(|(_, chosen)| chosen)
}

/// For a child SA. Extended sequence numbers are never chosen: they cannot be followed by receivers that each see part
/// of the packets.
pub(crate) fn esp_suite<'a>(
    preference: &[EspSuite],
    proposals: &[Proposal<'a>],
) -> Option<Chosen<'a, EspSuite>> {
    preference.iter().find_map(|&suite| {
        let wanted = esp_transforms(suite);
        usable_for_esp(proposals).find_map(|proposal| accept(proposal, suite, &wanted))
    })
}

/// For the child SA of CREATE_CHILD_SA, which may have a key exchange of its own (RFC 7296 section 1.3.1). A proposal
/// with one of `groups`, most wanted first, goes before one without: the peer would not offer what it does not want. So
/// does one with an additional key exchange of `kems` behind that (RFC 9370 section 2.2.4).
pub(crate) fn esp_suite_and_exchanges<'a>(
    preference: &[EspSuite],
    groups: &[DhGroup],
    kems: &[Kem],
    proposals: &[Proposal<'a>],
) -> Option<(Chosen<'a, EspSuite>, Option<DhGroup>, Option<Kem>)> {
    let kems = kems.iter().copied().map(Some).chain([None]);
    let mut exchanges = kems.flat_map(|kem| groups.iter().map(move |group| (*group, kem)));
    let with_group = exchanges.find_map(|(group, kem)| {
        let wanted: Vec<_> = [key_exchange(group)]
            .into_iter()
            .chain(kem.map(additional_key_exchange))
            .collect();
        let offers_all = |proposal: &&Proposal<'_>| wanted.iter().all(|it| proposal.transforms.contains(it));
        let mut stripped: Vec<_> = proposals.iter().filter(offers_all).cloned().collect();
        for proposal in &mut stripped {
            proposal
                .transforms
                .retain(|transform| wanted.iter().all(|it| it.kind != transform.kind));
        }
        let mut chosen = esp_suite(preference, &stripped)?;
        chosen.answer.transforms.extend(wanted);
        Some((chosen, Some(group), kem))
    });
    with_group.or_else(|| Some((esp_suite(preference, proposals)?, None, None)))
}

/// For the rekey of an IKE SA: as [`ike_suite`], and the peer's new SPI (RFC 7296 section 2.18). An additional key exchange
/// follows in IKE_FOLLOWUP_KE, which who proposes one knows (RFC 9370 section 2.2.4).
pub(crate) fn ike_suite_and_spi<'a>(
    policy: &IkePolicy,
    proposals: &[Proposal<'a>],
) -> Option<(Chosen<'a, IkeSuite>, Option<Kem>, u64)> {
    let usable = proposals.iter().filter(|proposal| ike_spi(proposal).is_some());
    let initial = usable.map(|proposal| Proposal {
        spi: &[],
        ..proposal.clone()
    });
    let (chosen, kem) = ike_suite(policy, &policy.kems, &initial.collect::<Vec<_>>())?;
    let spi = proposals
        .iter()
        .find(|proposal| proposal.number == chosen.answer.number)
        .and_then(ike_spi)?;
    Some((chosen, kem, spi))
}

/// True when proposals, none of which was accepted, fail for nothing but their insistence on extended sequence numbers.
pub(crate) fn wants_esn_only(
    preference: &[EspSuite],
    groups: &[DhGroup],
    kems: &[Kem],
    proposals: &[Proposal<'_>],
) -> bool {
    let without_esn: Vec<_> = usable_for_esp(proposals)
        .map(|proposal| {
            let mut proposal = proposal.clone();
            proposal
                .transforms
                .retain(|transform| transform.kind != TransformType::ExtendedSequenceNumbers);
            proposal
        })
        .collect();
    esp_suite_and_exchanges(preference, groups, kems, &without_esn).is_some()
}

/// The proposals of IKE_AUTH without the key exchanges that some put there. "The SA payloads in the IKE_AUTH exchange cannot
/// contain Transform Type 4 (Diffie-Hellman group) with any value other than NONE" (RFC 7296 section 1.2): there is no KE
/// payload that it could be about, so it means the rekeys to come.
pub(crate) fn without_key_exchange<'a>(proposals: &[Proposal<'a>]) -> Vec<Proposal<'a>> {
    let mut proposals = proposals.to_vec();
    for proposal in &mut proposals {
        proposal
            .transforms
            .retain(|transform| !is_key_exchange(transform.kind) || transform.id == NONE);
    }
    proposals
}

fn is_key_exchange(kind: TransformType) -> bool {
    match kind {
        TransformType::KeyExchange
        | TransformType::AdditionalKeyExchange1
        | TransformType::LaterAdditionalKeyExchange(_) => true,
        TransformType::Encryption
        | TransformType::Prf
        | TransformType::Integrity
        | TransformType::ExtendedSequenceNumbers
        | TransformType::Other(_) => false,
    }
}

/// Why none of the proposals for an IKE SA was accepted.
pub(crate) fn mismatch_of_ike(policy: &IkePolicy, proposals: &[Proposal<'_>]) -> Mismatch {
    let ciphers = policy.ciphers.iter().copied().map(encryption);
    let wanted = Wanted {
        kinds: vec![
            (
                TransformType::Encryption,
                ciphers.clone().map(|it| it.0).collect(),
            ),
            (TransformType::Prf, policy.prfs.iter().copied().map(prf).collect()),
            (
                TransformType::KeyExchange,
                policy.dh.iter().copied().map(key_exchange).collect(),
            ),
        ],
        integrity: ciphers.filter_map(|it| it.1).collect(),
    };
    let of_ike = proposals.iter().filter(|it| it.protocol == Protocol::Ike);
    mismatch(of_ike, &wanted)
}

/// The same for a child SA, which may have a key exchange with one of `groups`.
pub(crate) fn mismatch_of_esp(
    preference: &[EspSuite],
    groups: &[DhGroup],
    proposals: &[Proposal<'_>],
) -> Mismatch {
    let of_kind = |kind| {
        let transforms = preference.iter().flat_map(|suite| esp_transforms(*suite));
        transforms.filter(|it| it.kind == kind).collect::<Vec<_>>()
    };
    let mut kinds: Vec<_> = [TransformType::Encryption, TransformType::ExtendedSequenceNumbers]
        .map(|kind| (kind, of_kind(kind)))
        .into();
    // A child SA without is fine too, so this counts only where the peer wants one.
    let wants_groups = |proposal: &Proposal<'_>| {
        let kinds = proposal.transforms.iter().map(|it| it.kind);
        kinds.clone().any(|kind| kind == TransformType::KeyExchange)
    };
    if proposals.iter().any(wants_groups) {
        let groups = groups.iter().copied().map(key_exchange).collect();
        kinds.push((TransformType::KeyExchange, groups));
    }
    let wanted = Wanted {
        kinds,
        integrity: of_kind(TransformType::Integrity),
    };
    mismatch(usable_for_esp(proposals), &wanted)
}

/// Which weak algorithm is the best that a peer offers for an IKE SA, if that is why nothing can be chosen.
pub(crate) fn weakness_of_ike(proposals: &[Proposal<'_>]) -> Option<Weak> {
    weak::weakness(Protocol::Ike, usable_for_ike(proposals))
}

/// The same for a child SA.
pub(crate) fn weakness_of_esp(proposals: &[Proposal<'_>]) -> Option<Weak> {
    weak::weakness(Protocol::Esp, usable_for_esp(proposals))
}

/// The SPI of a proposal for ESP. 0 to 255 name no SA (RFC 4303 section 2.1).
pub(crate) fn esp_spi(proposal: &Proposal<'_>) -> Option<u32> {
    let spi = proposal.spi.try_into().map(u32::from_be_bytes).ok()?;
    (proposal.protocol == Protocol::Esp && spi > 255).then_some(spi)
}

/// The SPI of a proposal for a rekeyed IKE SA. Zero names none (RFC 7296 section 3.1).
pub(crate) fn ike_spi(proposal: &Proposal<'_>) -> Option<u64> {
    let spi = proposal.spi.try_into().map(u64::from_be_bytes).ok()?;
    (proposal.protocol == Protocol::Ike && spi != 0).then_some(spi)
}

/// An SPI has no place in the first proposal of an IKE SA (RFC 7296 section 3.3.1).
fn usable_for_ike<'p, 'a>(proposals: &'p [Proposal<'a>]) -> impl Iterator<Item = &'p Proposal<'a>> + Clone {
    let is_usable = |it: &&Proposal<'_>| it.protocol == Protocol::Ike && it.spi.is_empty();
    proposals.iter().filter(is_usable)
}

fn usable_for_esp<'p, 'a>(proposals: &'p [Proposal<'a>]) -> impl Iterator<Item = &'p Proposal<'a>> + Clone {
    proposals.iter().filter(|proposal| esp_spi(proposal).is_some())
}

/// The first item that is good, and its place.
fn first<T: Copy>(items: &[T], is_good: impl Fn(T) -> bool) -> Option<(usize, T)> {
    items.iter().copied().enumerate().find(|(_, item)| is_good(*item))
}

/// True when a proposal offers this protection. What an integrity transform beside an AEAD cipher means is plain, so it is
/// passed over, though RFC 7296 section 3.3 does not allow it (docs/algorithms.md).
fn protects(proposal: &Proposal<'_>, (encryption, integrity): CipherTransforms) -> bool {
    let offers = |wanted: &Transform| proposal.transforms.iter().any(|it| fits(it, wanted));
    offers(&encryption) && integrity.is_none_or(|integrity| offers(&integrity))
}

/// The answer with one transform of each type in the proposal: the wanted one, and NONE for every other type, which
/// must be among the alternatives then. `None` when the proposal does not allow it, or lacks a wanted type.
fn accept<'a, S>(proposal: &Proposal<'a>, suite: S, wanted: &[Transform]) -> Option<Chosen<'a, S>> {
    // A type that is not understood spoils the proposal (RFC 7296 section 3.3.6). First of all, since a stranger can name
    // hundreds, each to be looked for among the others.
    let is_unknown = |transform: &Transform| matches!(transform.kind, TransformType::Other(_));
    if proposal.transforms.iter().any(is_unknown) {
        return None;
    }
    let mut transforms = Vec::new();
    for wanted in wanted {
        let offered = proposal.transforms.iter().find(|it| fits(it, wanted));
        let is_absent = || proposal.transforms.iter().all(|it| it.kind != wanted.kind);
        match offered {
            Some(offered) => transforms.push(*offered),
            // Sequence numbers of 32 bits are what those mean who leave the type out (docs/algorithms.md).
            None if wanted.kind == TransformType::ExtendedSequenceNumbers && is_absent() => {}
            None => return None,
        }
    }
    for transform in &proposal.transforms {
        let kind = transform.kind;
        if transforms.iter().any(|other| other.kind == kind) {
            continue;
        }
        let none = Transform::new(kind, NONE);
        match proposal.transforms.contains(&none) {
            true => transforms.push(none),
            // Beside an AEAD cipher, or the wanted ones would have it.
            false if kind == TransformType::Integrity => {}
            false => return None,
        }
    }
    let answer = Proposal {
        transforms,
        ..*proposal
    };
    Some(Chosen { suite, answer })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cipher;

    const GCM: EspSuite = EspSuite::Encrypted(Cipher::Aes256Gcm16);

    fn gcm(unknown_attribute: bool) -> Transform {
        Transform {
            unknown_attribute,
            ..encryption(Cipher::Aes256Gcm16).0
        }
    }

    fn esp(spi: &[u8], transforms: Vec<Transform>) -> Proposal<'_> {
        Proposal {
            number: 1,
            protocol: Protocol::Esp,
            spi,
            transforms,
        }
    }

    /// "It MUST consider this transform unacceptable; other transforms with the same Transform Type are processed as
    /// usual" (RFC 7296 section 3.3.6).
    #[test]
    fn an_unknown_attribute_spoils_its_transform_only() {
        let no_esn = Transform::new(TransformType::ExtendedSequenceNumbers, NONE);
        let spi = [0, 0, 1, 0];
        let chosen = |transforms| esp_suite(&[GCM], &[esp(&spi, transforms)]);
        assert_eq!(chosen(vec![gcm(true), no_esn]), None);
        let answer = chosen(vec![gcm(true), gcm(false), no_esn]).unwrap().answer;
        assert_eq!(answer.transforms, [gcm(false), no_esn]);
    }

    #[test]
    fn a_proposal_needs_the_spi_of_its_protocol() {
        let no_esn = Transform::new(TransformType::ExtendedSequenceNumbers, NONE);
        for (spi, good) in [
            (&[0, 0, 1, 0][..], true),
            (&[0, 0, 0, 255], false),
            (&[], false),
            (&[0, 0, 1], false),
            (&[1; 8], false),
        ] {
            let proposal = esp(spi, vec![gcm(false), no_esn]);
            assert_eq!(esp_suite(&[GCM], &[proposal]).is_some(), good, "{spi:?}");
        }
        let policy = IkePolicy::default();
        let ike = |spi| Proposal {
            protocol: Protocol::Ike,
            ..esp(
                spi,
                vec![
                    gcm(false),
                    Transform::new(TransformType::Prf, 5),
                    Transform::new(TransformType::KeyExchange, 19),
                ],
            )
        };
        assert!(ike_suite(&policy, &[], &[ike(&[])]).is_some());
        assert!(ike_suite(&policy, &[], &[ike(&[1; 8])]).is_none());
    }
}
