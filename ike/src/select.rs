//! Choice of a suite from the peer's proposals (RFC 7296 sections 2.7 and 3.3.6), by our order of preference.

use crate::wire::{Proposal, Protocol, Transform, TransformType};
use crate::{DhGroup, EspSuite, IkeSuite};

/// ENCR_AES_GCM_16 (RFC 4106).
const ENCR_AES_GCM_16: u16 = 20;
/// The transform ID that means "none of this type", and "no extended sequence numbers" for their type.
const NONE: u16 = 0;

/// The suite and the proposal that answers with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chosen<'a, S> {
    pub(crate) suite: S,
    /// The peer's number, and SPI, with one transform of each type.
    pub(crate) answer: Proposal<'a>,
}

/// For IKE_SA_INIT: the first of `preference` that any proposal allows.
pub(crate) fn ike_suite<'a>(
    preference: &[IkeSuite],
    proposals: &[Proposal<'a>],
) -> Option<Chosen<'a, IkeSuite>> {
    // An SPI has no place in the first proposal of an IKE SA (RFC 7296 section 3.3.1).
    let usable = |proposal: &&Proposal<'_>| proposal.protocol == Protocol::Ike && proposal.spi.is_empty();
    choose(preference, proposals.iter().filter(usable), |suite| {
        ike_transforms(suite)
    })
}

/// One transform of each type that a proposal for an IKE SA has to have.
fn ike_transforms(suite: IkeSuite) -> Vec<Transform> {
    vec![
        wanted(
            TransformType::Encryption,
            suite.cipher.id(),
            Some(suite.cipher.key_bits()),
        ),
        wanted(TransformType::Prf, suite.prf.id(), None),
        wanted(TransformType::KeyExchange, suite.dh.id(), None),
    ]
}

/// For the child SA of IKE_AUTH. Extended sequence numbers are never chosen: they cannot be followed by receivers
/// that each see part of the packets.
pub(crate) fn esp_suite<'a>(
    preference: &[EspSuite],
    proposals: &[Proposal<'a>],
) -> Option<Chosen<'a, EspSuite>> {
    choose(
        preference,
        proposals.iter().filter(|proposal| esp_spi(proposal).is_some()),
        |suite| {
            let mut transforms = esp_cipher(suite);
            transforms.push(wanted(TransformType::ExtendedSequenceNumbers, NONE, None));
            transforms
        },
    )
}

/// For the child SA of CREATE_CHILD_SA, which may have a key exchange of its own (RFC 7296 section 1.3.1). A proposal
/// with one of `groups`, most wanted first, goes before one without: the peer would not offer what it does not want.
pub(crate) fn esp_suite_and_group<'a>(
    preference: &[EspSuite],
    groups: &[DhGroup],
    proposals: &[Proposal<'a>],
) -> Option<(Chosen<'a, EspSuite>, Option<DhGroup>)> {
    let with_group = groups.iter().find_map(|&group| {
        let transform = Transform::new(TransformType::KeyExchange, group.id());
        let offering = proposals.iter().filter(|it| it.transforms.contains(&transform));
        let mut stripped: Vec<_> = offering.cloned().collect();
        for proposal in &mut stripped {
            proposal
                .transforms
                .retain(|transform| transform.kind != TransformType::KeyExchange);
        }
        let mut chosen = esp_suite(preference, &stripped)?;
        chosen.answer.transforms.push(transform);
        Some((chosen, Some(group)))
    });
    with_group.or_else(|| Some((esp_suite(preference, proposals)?, None)))
}

/// For the rekey of an IKE SA: as [`ike_suite`], and the peer's new SPI (RFC 7296 section 2.18).
pub(crate) fn ike_suite_and_spi<'a>(
    preference: &[IkeSuite],
    proposals: &[Proposal<'a>],
) -> Option<(Chosen<'a, IkeSuite>, u64)> {
    let usable = proposals.iter().filter(|proposal| ike_spi(proposal).is_some());
    let initial = usable.map(|proposal| Proposal {
        spi: &[],
        ..proposal.clone()
    });
    let chosen = ike_suite(preference, &initial.collect::<Vec<_>>())?;
    let spi = proposals
        .iter()
        .find(|proposal| proposal.number == chosen.answer.number)
        .and_then(ike_spi)?;
    Some((chosen, spi))
}

/// What we offer for a child SA that receives with `spi`: with a key exchange of this group, or without for peers that
/// want none, each as a proposal of its own, since some do not know NONE among groups.
pub(crate) fn esp_offer(suite: EspSuite, group: DhGroup, spi: &[u8; 4]) -> Vec<Proposal<'_>> {
    let mut without = esp_cipher(suite);
    without.push(wanted(TransformType::ExtendedSequenceNumbers, NONE, None));
    let mut with = without.clone();
    with.push(wanted(TransformType::KeyExchange, group.id(), None));
    let proposal = |(number, transforms)| Proposal {
        number,
        protocol: Protocol::Esp,
        spi,
        transforms,
    };
    [(1, with), (2, without)].map(proposal).to_vec()
}

/// What we offer for an IKE SA that shall have `spi`.
pub(crate) fn ike_offer(suite: IkeSuite, spi: &[u8; 8]) -> Vec<Proposal<'_>> {
    vec![Proposal {
        number: 1,
        protocol: Protocol::Ike,
        spi,
        transforms: ike_transforms(suite),
    }]
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

/// True when a proposal fails for nothing but its insistence on extended sequence numbers.
pub(crate) fn wants_esn_only(preference: &[EspSuite], proposals: &[Proposal<'_>]) -> bool {
    let without_esn = proposals
        .iter()
        .filter(|proposal| esp_spi(proposal).is_some())
        .map(|proposal| {
            let mut proposal = proposal.clone();
            proposal
                .transforms
                .retain(|transform| transform.kind != TransformType::ExtendedSequenceNumbers);
            proposal
        });
    let without_esn: Vec<_> = without_esn.collect();
    esp_suite(preference, proposals).is_none() && choose(preference, without_esn.iter(), esp_cipher).is_some()
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

fn esp_cipher(suite: EspSuite) -> Vec<Transform> {
    let key_bits = match suite {
        EspSuite::Aes128Gcm16 => 128,
        EspSuite::Aes256Gcm16 => 256,
    };
    vec![wanted(TransformType::Encryption, ENCR_AES_GCM_16, Some(key_bits))]
}

fn wanted(kind: TransformType, id: u16, key_bits: Option<u16>) -> Transform {
    Transform {
        kind,
        id,
        key_bits,
        unknown_attribute: false,
    }
}

fn choose<'p, 'a: 'p, S: Copy>(
    preference: &[S],
    proposals: impl Iterator<Item = &'p Proposal<'a>> + Clone,
    transforms_of: impl Fn(S) -> Vec<Transform>,
) -> Option<Chosen<'a, S>> {
    preference.iter().find_map(|&suite| {
        let wanted = transforms_of(suite);
        proposals.clone().find_map(|proposal| {
            let transforms = accept(proposal, &wanted)?;
            let answer = Proposal {
                transforms,
                ..*proposal
            };
            Some(Chosen { suite, answer })
        })
    })
}

/// One transform of each type in the proposal: the wanted one, and NONE for every other type, which must be among
/// the alternatives then. `None` when the proposal does not allow it, or lacks a wanted type.
fn accept(proposal: &Proposal<'_>, wanted: &[Transform]) -> Option<Vec<Transform>> {
    // A type that is not understood spoils the proposal (RFC 7296 section 3.3.6). First of all, since a stranger can name
    // hundreds, each to be looked for among the others.
    let is_unknown = |transform: &Transform| matches!(transform.kind, TransformType::Other(_));
    if proposal.transforms.iter().any(is_unknown) {
        return None;
    }
    let mut accepted = wanted.to_vec();
    for transform in &proposal.transforms {
        if !accepted.iter().any(|other| other.kind == transform.kind) {
            accepted.push(self::wanted(transform.kind, NONE, None));
        }
    }
    let acceptable = |transform| proposal.transforms.contains(transform);
    accepted.iter().all(acceptable).then_some(accepted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::default_ike_suites;

    fn gcm(unknown_attribute: bool) -> Transform {
        Transform {
            unknown_attribute,
            ..esp_cipher(EspSuite::Aes256Gcm16)[0]
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
        let no_esn = wanted(TransformType::ExtendedSequenceNumbers, NONE, None);
        let spi = [0, 0, 1, 0];
        let chosen = |transforms| esp_suite(&[EspSuite::Aes256Gcm16], &[esp(&spi, transforms)]);
        assert_eq!(chosen(vec![gcm(true), no_esn]), None);
        let answer = chosen(vec![gcm(true), gcm(false), no_esn]).unwrap().answer;
        assert_eq!(answer.transforms, [gcm(false), no_esn]);
    }

    #[test]
    fn a_proposal_needs_the_spi_of_its_protocol() {
        let no_esn = wanted(TransformType::ExtendedSequenceNumbers, NONE, None);
        for (spi, good) in [
            (&[0, 0, 1, 0][..], true),
            (&[0, 0, 0, 255], false),
            (&[], false),
            (&[0, 0, 1], false),
            (&[1; 8], false),
        ] {
            let proposal = esp(spi, vec![gcm(false), no_esn]);
            assert_eq!(
                esp_suite(&[EspSuite::Aes256Gcm16], &[proposal]).is_some(),
                good,
                "{spi:?}"
            );
        }
        let suites = default_ike_suites();
        let ike = |spi| Proposal {
            protocol: Protocol::Ike,
            ..esp(
                spi,
                vec![
                    gcm(false),
                    wanted(TransformType::Prf, 5, None),
                    wanted(TransformType::KeyExchange, 19, None),
                ],
            )
        };
        assert!(ike_suite(&suites, &[ike(&[])]).is_some());
        assert!(ike_suite(&suites, &[ike(&[1; 8])]).is_none());
    }
}
