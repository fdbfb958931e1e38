//! Rekeys of the IKE SA (RFC 7296 section 2.18), by either side and by both.

use super::*;
use crate::crypto::DhKeyPair;
use crate::responder::tests::pair::{FLEET, Pair, ROUTER};
use crate::testkit::TestRandom;
use crate::wire::{ExchangeType, KeyExchange, Proposal, Protocol, Transform, TransformType};
use crate::{ChildRefusal, ChildUpdate, CommitOutcome, DhGroup, Ending, IkeSpis, Limits, Slot};

/// Rekeys the IKE SA when it is about this old, with the jitter of a tenth.
pub(in crate::responder::tests) fn aging(seconds: u32) -> Limits {
    Limits {
        child_lifetime: None,
        ike_lifetime: Some(seconds * SECOND),
        ..Limits::default()
    }
}

/// A pair with an IKE SA that is of the same age for both, since they have just rekeyed it.
pub(in crate::responder::tests) fn of_one_age(seed: u64, limits: [Limits; 2]) -> Pair {
    let mut pair = Pair::new(seed, limits);
    while [FLEET, ROUTER].map(|end| pair.count(end, was_rekeyed)) != [1, 1] {
        pair.run(Duration::from_millis(100));
    }
    pair
}

/// A request for a new IKE SA with this SPI of the peer's, and the peer's public value.
pub(in crate::responder::tests) fn wish<'a>(
    spi: &'a [u8; 8],
    group: u16,
    public: &'a [u8],
) -> Vec<Payload<'a>> {
    let gcm = Transform {
        key_bits: Some(256),
        ..Transform::new(TransformType::Encryption, 20)
    };
    let transforms = vec![
        gcm,
        Transform::new(TransformType::Prf, 5),
        Transform::new(TransformType::KeyExchange, group),
    ];
    let proposal = Proposal {
        number: 1,
        protocol: Protocol::Ike,
        spi,
        transforms,
    };
    vec![
        Payload::Sa(vec![proposal]),
        Payload::Nonce(&[5; 32]),
        Payload::KeyExchange(KeyExchange { group, public }),
    ]
}

pub(in crate::responder::tests) fn public_value() -> Vec<u8> {
    let mut random = TestRandom::new(1);
    let pair = DhKeyPair::generate(DhGroup::Curve25519, &mut |buffer| random.fill(buffer));
    pair.public().to_vec()
}

fn send(initiator: &mut Initiator, payloads: &[Payload<'_>]) -> Transmit {
    initiator
        .protected_request(ExchangeType::CreateChildSa, payloads)
        .unwrap()
}

#[test]
fn the_new_ike_sa_inherits_the_child_sas_before_the_reply_leaves() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let (old, spi) = (initiator.spis().unwrap(), child(&fleet).inbound_spi);
    fleet.prompt = false;
    let public = public_value();
    let sent = send(&mut initiator, &wish(&[7; 8], 31, &public));
    assert_eq!(fleet.deliver(&sent), [], "an answer before the fleet knows");
    let commit = fleet.commits.last().unwrap();
    let [
        Change::PutIke(new),
        Change::UpdateChild {
            inbound_spi,
            update: ChildUpdate::MoveTo(to),
        },
        Change::PutIke(ended),
    ] = &commit.changes[..]
    else {
        panic!("{commit:?}");
    };
    assert_eq!((*inbound_spi, *to, ended.spis), (spi, new.spis, old));
    assert_eq!(new.spis.initiator.to_be_bytes(), [7; 8]);
    assert_ne!(new.spis.responder, old.responder);
    let header = [&[0; 8], &new.spis.responder.to_be_bytes()[..]].concat();
    let mut message = sent.payload.clone();
    message[..16].copy_from_slice(&header);
    message[0] = 1;
    let path = crate::Path {
        local: sent.path.peer,
        peer: sent.path.local,
    };
    let (route, _) = crate::Router::new(&TestFleet::spi_key()).route(path, &message);
    assert_eq!(route, crate::Route::Slot(Slot::new(5).unwrap()));

    let reply = fleet.finish(commit.id, CommitOutcome::Done);
    assert_eq!(fleet.deliver(&sent), reply, "another answer to the same");
    // The child SA's notices find the new IKE SA.
    fleet.responder.handle_child_removed(fleet.now, spi);
    let delete = fleet.drain().remove(0);
    let header = Header::decode(&delete.payload).unwrap();
    assert_eq!(
        (header.spis.initiator.to_be_bytes(), header.message_id),
        ([7; 8], 0)
    );
}

/// Nothing is begun any more on the old IKE SA but its end.
#[test]
fn the_old_ike_sa_waits_for_its_end() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let public = public_value();
    let request = wish(&[7; 8], 31, &public);
    let sent = send(&mut initiator, &request);
    fleet.deliver(&sent);
    for payloads in [&request[..], &request[1..2]] {
        let sent = send(&mut initiator, &[payloads, &request[..2]].concat());
        let answer = answer_to(&mut fleet, &initiator, &sent);
        assert_eq!(answer, [notification(NotifyType::TEMPORARY_FAILURE, &[])]);
        let refusal = What::ChildRefused(ChildRefusal::Collision);
        assert_eq!(fleet.last_event(), Some(&refusal));
    }
    let delete = initiator.delete_ike().unwrap();
    assert_eq!(fleet.deliver(&delete).len(), 1);
    assert_eq!(fleet.last_event(), Some(&What::Ended(Ending::Rekeyed)));
    let removal = fleet.commits.last().unwrap();
    assert!(matches!(removal.changes[..], [Change::RemoveIke(spis)] if Some(spis) == initiator.spis()));

    // A peer that forgets to delete it is told a minute later.
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let sent = send(&mut initiator, &request);
    fleet.deliver(&sent);
    attend(&mut fleet, &mut initiator, 62 * SECOND);
    assert_eq!(initiator.status(), Status::Closed);
    assert!(happened(&fleet).contains(&&What::Ended(Ending::Rekeyed)));
}

#[test]
fn what_cannot_be_agreed_on_leaves_the_ike_sa() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let public = public_value();
    let no_spi = {
        let mut payloads = wish(&[7; 8], 31, &public);
        if let Payload::Sa(proposals) = &mut payloads[0] {
            proposals[0].spi = &[];
        }
        payloads
    };
    // "A responder MUST NOT accept such a proposal": one without a key exchange (RFC 7296 section 2.18).
    let without_group = {
        let mut payloads = wish(&[7; 8], 31, &public);
        if let Payload::Sa(proposals) = &mut payloads[0] {
            proposals[0].transforms[2].id = 0;
        }
        payloads
    };
    let no_ke = {
        let mut payloads = wish(&[7; 8], 31, &public);
        payloads.pop();
        payloads
    };
    let no_proposal = notification(NotifyType::NO_PROPOSAL_CHOSEN, &[]);
    for (payloads, answer) in [
        (no_spi, no_proposal.clone()),
        (wish(&[0; 8], 31, &public), no_proposal.clone()),
        (without_group, no_proposal.clone()),
        (wish(&[7; 8], 2, &public), no_proposal),
        (no_ke, notification(NotifyType::INVALID_KE_PAYLOAD, &[0, 31])),
    ] {
        let sent = send(&mut initiator, &payloads);
        assert_eq!(answer_to(&mut fleet, &initiator, &sent), [answer]);
    }
    assert_eq!(fleet.commits.len(), 1);
}

#[test]
fn a_refused_commit_leaves_the_old_ike_sa() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    fleet.prompt = false;
    let public = public_value();
    let sent = send(&mut initiator, &wish(&[7; 8], 31, &public));
    fleet.deliver(&sent);
    let reply = fleet.finish(fleet.commits[1].id, CommitOutcome::Refused);
    let error = notification(NotifyType::TEMPORARY_FAILURE, &[]);
    assert_eq!(read(&initiator, &reply[0]), [error]);
    let delete = initiator.delete_child().unwrap();
    assert_eq!(fleet.deliver(&delete), []);
    assert!(matches!(
        fleet.commits[2].changes[..],
        [Change::RemoveChild(_), Change::PutIke(_)]
    ));
}

/// Again and again, so that each is in turn the initiator and the responder of what is rekeyed.
#[test]
fn generations_follow_each_other_whoever_begins() {
    for limits in [
        [aging(100), patient()],
        [patient(), aging(100)],
        [aging(100), aging(150)],
    ] {
        let mut pair = Pair::new(1, limits);
        let mut seen = vec![pair.ike_spis()];
        for _ in 0..10 {
            pair.run(200 * SECOND);
            let now: IkeSpis = pair.ike_spis();
            assert!(!seen.contains(&now), "not rekeyed");
            seen.push(now);
            pair.near_limit(FLEET);
            pair.run(30 * SECOND);
            pair.near_limit(ROUTER);
            pair.run(30 * SECOND);
        }
        pair.ends.each_ref().iter().for_each(|end| {
            assert!(!happened(&end.edge).contains(&&What::Ended(Ending::PeerDead)));
        });
    }
}

/// "The new IKE SA containing the lowest nonce SHOULD be deleted by the node that created it, and the other surviving new
/// IKE SA MUST inherit all the Child SAs" (RFC 7296 section 2.8.2). On a network so slow that both requests cross.
#[test]
fn both_sides_rekey_the_ike_sa_at_once() {
    let mut by = Vec::new();
    for seed in 1..9 {
        let mut pair = of_one_age(seed, [aging(100); 2]);
        pair.network.delay = 15_000..15_001;
        while !pair.is_asking(FLEET) || !pair.is_asking(ROUTER) {
            pair.run(SECOND);
        }
        pair.stop_aging();
        pair.run(60 * SECOND);
        pair.network.delay = 10..20;
        pair.run(70 * SECOND);
        pair.assert_agreed();
        let rekeyed_by = |end: usize| {
            let story = pair.story();
            let by = story[end].iter().filter_map(|what| match what {
                What::IkeRekeyed { by, .. } => Some(*by),
                _ => None,
            });
            by.collect::<Vec<_>>()
        };
        let ([_, fleets], [_, routers]) = (&rekeyed_by(FLEET)[..], &rekeyed_by(ROUTER)[..]) else {
            panic!("not one rekey: {:?}", pair.story());
        };
        assert_ne!(fleets, routers, "both or none think it theirs");
        by.push(*fleets);
    }
    assert!(
        by.contains(&crate::Side::Us) && by.contains(&crate::Side::Peer),
        "{by:?}"
    );
}

/// "If only one peer detects a simultaneous rekey, redundant SAs are not created" (RFC 7296 section 2.8.2).
#[test]
fn one_side_has_finished_when_the_others_request_comes() {
    for late in [FLEET, ROUTER] {
        let unasked = |seconds| Limits {
            dpd_interval: 3600 * SECOND,
            ..aging(seconds)
        };
        let mut limits = [unasked(110); 2];
        limits[late] = unasked(90);
        for seed in 1..5 {
            let mut pair = of_one_age(seed, limits);
            // The requests of one side get lost until the other asks.
            pair.network.doomed[late] = usize::MAX;
            while !pair.is_asking(1 - late) {
                pair.run(Duration::from_millis(1));
            }
            assert!(pair.is_asking(late));
            pair.network.doomed[late] = 0;
            pair.stop_aging();
            pair.run(70 * SECOND);
            pair.assert_agreed();
            assert_eq!(pair.count(late, was_rekeyed), 2, "{:?}", pair.story());
        }
    }
}

/// From the request of a rekey to beyond its end, step by step.
const MILLISECONDS: [u64; 12] = [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 40];

/// An end has just asked the other to rekey the IKE SA; nothing else is due.
fn rekeying(end: usize) -> Pair {
    let mut limits = [patient(); 2];
    limits[end] = aging(100);
    let mut pair = of_one_age(1, limits);
    while !pair.is_asking(end) {
        pair.run(Duration::from_millis(1));
    }
    pair.stop_aging();
    pair
}

/// RFC 7296 section 2.25.1: "If a peer receives a request to rekey the IKE SA, and it is currently creating, rekeying, or
/// closing a Child SA of that IKE SA, it SHOULD reply with TEMPORARY_FAILURE", and the other way round.
#[test]
fn the_ike_sa_and_a_child_sa_are_rekeyed_at_once() {
    for end in [FLEET, ROUTER] {
        for after in MILLISECONDS {
            let mut pair = rekeying(end);
            let old = pair.sender(FLEET);
            pair.run(Duration::from_millis(after));
            pair.near_limit(1 - end);
            pair.run(200 * SECOND);
            pair.assert_agreed();
            assert_ne!(pair.sender(FLEET), old, "{:?}", pair.story());
            assert_eq!(pair.count(FLEET, was_rekeyed), 2, "{:?}", pair.story());
        }
    }
}

/// "If a peer receives a request to close an IKE SA that it is currently rekeying, it SHOULD reply as usual, and forget
/// about its own rekeying request" (RFC 7296 section 2.25.2).
#[test]
fn the_ike_sa_is_deleted_while_it_is_rekeyed() {
    for end in [FLEET, ROUTER] {
        for after in MILLISECONDS {
            let mut pair = rekeying(end);
            pair.run(Duration::from_millis(after));
            pair.revoke_all(1 - end);
            pair.run(300 * SECOND);
            pair.assert_agreed();
            assert!(pair.ends.iter().all(|end| end.installed.ike_sas.is_empty()));
            pair.ends.iter().for_each(|end| assert_nothing_left(&end.edge));
        }
    }
}
