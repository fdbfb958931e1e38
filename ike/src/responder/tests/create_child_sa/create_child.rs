//! The peer's CREATE_CHILD_SA for child SAs, and what becomes of the one that is replaced.

use super::*;
use crate::crypto::DhKeyPair;
use crate::testkit::{TestHost, TestRandom};
use crate::wire::{Delete, ExchangeType, KeyExchange, Proposal, Protocol, Transform, TransformType};
use crate::{ChildRefusal, ChildUpdate, CommitOutcome, DhGroup, Ending, Limits};

/// What the customer receives on with its new child SA.
pub(in crate::responder::tests) const SPI: [u8; 4] = [0xc0, 0xff, 0xee, 0x01];

const NONCE: [u8; 32] = [5; 32];

/// The groups of a proposal for ESP; `NONE` among them stands for "or without".
const NONE: u16 = 0;

/// A proposal of AES-GCM with these groups.
pub(in crate::responder::tests) fn esp(number: u8, groups: &[u16]) -> Proposal<'static> {
    let gcm = Transform {
        key_bits: Some(256),
        ..Transform::new(TransformType::Encryption, 20)
    };
    let mut transforms = vec![gcm, Transform::new(TransformType::ExtendedSequenceNumbers, 0)];
    let group = |id: &u16| Transform::new(TransformType::KeyExchange, *id);
    transforms.extend(groups.iter().map(group));
    Proposal {
        number,
        protocol: Protocol::Esp,
        spi: &SPI,
        transforms,
    }
}

/// A request for a child SA like the first.
pub(in crate::responder::tests) fn wish(proposals: Vec<Proposal<'static>>) -> Vec<Payload<'static>> {
    let customer = Customer::new(1);
    vec![
        Payload::Sa(proposals),
        Payload::Nonce(&NONCE),
        Payload::TsI(customer.local_ts),
        Payload::TsR(customer.remote_ts),
    ]
}

/// The same in the place of the child SA that the customer receives on with `spi`.
fn rekey(spi: &[u8; 4]) -> Vec<Payload<'_>> {
    let mut payloads = wish(vec![esp(1, &[])]);
    payloads.push(Payload::Notify(Notify::about_child(NotifyType::REKEY_SA, spi)));
    payloads
}

pub(in crate::responder::tests) fn send(initiator: &mut Initiator, payloads: &[Payload<'_>]) -> Transmit {
    initiator
        .protected_request(ExchangeType::CreateChildSa, payloads)
        .unwrap()
}

fn public_value(group: DhGroup) -> Vec<u8> {
    let mut random = TestRandom::new(1);
    DhKeyPair::generate(group, &mut |buffer| random.fill(buffer))
        .public()
        .to_vec()
}

/// The child SAs that were put into the fleet.
pub(in crate::responder::tests) fn children(fleet: &TestFleet) -> Vec<&ChildSa> {
    let put = changes(fleet).filter_map(|change| match change {
        Change::PutChild(child) => Some(&**child),
        _ => None,
    });
    put.collect()
}

/// The customer's inbound SPI of its first child SA, and ours.
fn first_spis(initiator: &Initiator) -> ([u8; 4], u32) {
    let child = initiator.child().unwrap();
    (child.inbound_spi.to_be_bytes(), child.outbound_spi)
}

/// What the last commit changes, without the IKE SA itself.
fn last_changes(fleet: &TestFleet) -> Vec<&Change> {
    let changes = fleet.commits.last().unwrap().changes.iter();
    changes
        .filter(|change| !matches!(change, Change::PutIke(_)))
        .collect()
}

#[track_caller]
fn assert_activates(fleet: &TestFleet, spi: u32) {
    assert!(
        matches!(
            last_changes(fleet)[..],
            [&Change::UpdateChild { inbound_spi, update: ChildUpdate::Activate }] if inbound_spi == spi
        ),
        "{:?}",
        fleet.commits.last()
    );
}

/// A customer whose child SA it has rekeyed, and the inbound SPIs of the old one and the new one.
fn rekeyed() -> (TestFleet, Initiator, u32, u32) {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let (theirs, ours) = first_spis(&initiator);
    let sent = send(&mut initiator, &rekey(&theirs));
    assert_eq!(fleet.deliver(&sent).len(), 1, "{:?}", fleet.events);
    let new = children(&fleet)[1].inbound_spi;
    (fleet, initiator, ours, new)
}

#[test]
fn an_activation_that_the_fleet_has_refused_comes_again() {
    let (mut fleet, _, _, new) = rekeyed();
    fleet.prompt = false;
    fleet.responder.handle_child_used(fleet.now, new);
    fleet.drain();
    assert_activates(&fleet, new);
    let commit = fleet.commits.pop().unwrap();
    fleet.finish(commit.id, CommitOutcome::Refused);
    fleet.prompt = true;
    let before = fleet.commits.len();
    fleet.wait(Duration::from_secs(4));
    assert_eq!(fleet.commits.len(), before, "not at once");
    fleet.wait(Duration::from_secs(2));
    assert_eq!(fleet.commits.len(), before + 1);
    assert_activates(&fleet, new);
}

#[test]
fn another_child_sa_is_made_beside_the_first() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    fleet.prompt = false;
    let sent = send(&mut initiator, &wish(vec![esp(1, &[])]));
    assert_eq!(fleet.deliver(&sent), [], "an answer before the fleet knows");
    let commit = fleet.commits.last().unwrap();
    assert!(matches!(
        commit.changes[..],
        [Change::PutChild(_), Change::PutIke(_)]
    ));
    let [first, second] = children(&fleet)[..] else {
        panic!("not two child SAs");
    };
    assert!(!second.standby);
    assert_eq!(second.outbound_spi.to_be_bytes(), SPI);
    assert_ne!(second.inbound_spi, first.inbound_spi);
    assert_ne!(second.inbound_key, first.inbound_key);
    let spi = second.inbound_spi;

    let reply = fleet.finish(fleet.commits[1].id, CommitOutcome::Done);
    assert_eq!(fleet.deliver(&sent), reply, "another answer to the same");
    let answer = read(&initiator, &reply[0]);
    assert!(
        matches!(
            answer.payloads()[..],
            [
                Payload::Sa(_),
                Payload::Nonce(_),
                Payload::TsI(_),
                Payload::TsR(_)
            ]
        ),
        "{answer:?}"
    );
    // Deleted, it goes at once: nothing takes its place.
    let delete = [Payload::Delete(Delete::Child {
        protocol: Protocol::Esp,
        spis: vec![u32::from_be_bytes(SPI)],
    })];
    let sent = initiator
        .protected_request(ExchangeType::Informational, &delete)
        .unwrap();
    fleet.deliver(&sent);
    assert!(matches!(last_changes(&fleet)[..], [&Change::RemoveChild(removed)] if removed == spi));
}

/// The old one goes on sending until the peer shows that it is ready (RFC 7296 section 2.8), here by its DELETE of the
/// old one, whose packets under way find it for some seconds more.
#[test]
fn the_end_of_the_old_child_sa_activates_the_new() {
    let (mut fleet, mut initiator, old, new) = rekeyed();
    assert!(children(&fleet)[1].standby);
    fleet.prompt = false;
    let delete = initiator.delete_child().unwrap();
    assert_eq!(fleet.deliver(&delete), [], "an answer before the fleet knows");
    assert_activates(&fleet, new);
    let commit = fleet.commits.last().unwrap().id;
    let reply = fleet.finish(commit, CommitOutcome::Done);
    let deletion = Payload::Delete(Delete::Child {
        protocol: Protocol::Esp,
        spis: vec![old],
    });
    assert_eq!(read(&initiator, &reply[0]), [deletion]);
    fleet.wait(Duration::from_millis(4_900));
    assert_eq!(fleet.commits.len(), 3, "removed at once");
    fleet.wait(Duration::from_secs(1));
    assert!(matches!(last_changes(&fleet)[..], [&Change::RemoveChild(spi)] if spi == old));
}

#[test]
fn the_first_packet_on_the_new_child_sa_activates_it() {
    let (mut fleet, mut initiator, old, new) = rekeyed();
    fleet.responder.handle_child_used(fleet.now, old);
    fleet.drain();
    assert_eq!(fleet.commits.len(), 2);
    fleet.responder.handle_child_used(fleet.now, new);
    fleet.responder.handle_child_used(fleet.now, new);
    fleet.drain();
    assert_activates(&fleet, new);
    assert_eq!(fleet.commits.len(), 3);
    // The DELETE that follows has nothing left to switch.
    let delete = initiator.delete_child().unwrap();
    assert_eq!(fleet.deliver(&delete).len(), 1);
    assert_eq!(fleet.commits.len(), 3);
    fleet.wait(Duration::from_secs(6));
    assert!(matches!(last_changes(&fleet)[..], [&Change::RemoveChild(spi)] if spi == old));
}

#[test]
fn a_new_child_sa_that_nobody_uses_sends_after_a_while() {
    let (mut fleet, mut initiator, old, new) = rekeyed();
    let request = initiator.retransmit();
    attend(&mut fleet, &mut initiator, Duration::from_secs(50));
    // The response got lost: the peer does not know the new one yet.
    fleet.deliver(&request);
    attend(&mut fleet, &mut initiator, Duration::from_secs(89));
    assert_eq!(fleet.commits.len(), 2);
    attend(&mut fleet, &mut initiator, Duration::from_secs(2));
    assert_activates(&fleet, new);
    // And what the peer forgets to delete, we do.
    attend(&mut fleet, &mut initiator, Duration::from_secs(61));
    assert!(initiator.child().is_none(), "the old child SA is left");
    attend(&mut fleet, &mut initiator, Duration::from_secs(6));
    assert!(matches!(last_changes(&fleet)[..], [&Change::RemoveChild(spi)] if spi == old));
}

/// The DELETE comes while the commit of the activation is under way: it is answered when that has ended.
#[test]
fn a_request_that_needs_a_commit_waits_for_the_one_before() {
    let (mut fleet, mut initiator, _, new) = rekeyed();
    fleet.prompt = false;
    fleet.responder.handle_child_used(fleet.now, new);
    fleet.drain();
    let commit = fleet.commits.last().unwrap().id;
    let delete = initiator.delete_child().unwrap();
    assert_eq!(fleet.deliver(&delete), []);
    assert_eq!(fleet.deliver(&delete), []);
    assert_eq!(fleet.finish(commit, CommitOutcome::Done).len(), 1);

    // A check of whether we live needs none.
    let (mut fleet, mut initiator, _, new) = rekeyed();
    fleet.prompt = false;
    fleet.responder.handle_child_used(fleet.now, new);
    fleet.drain();
    let probe = initiator.probe().unwrap();
    assert_eq!(fleet.deliver(&probe).len(), 1);
}

/// A key exchange of its own where the peer wants one (RFC 7296 section 1.3.1), in whatever way it says so; peers that
/// propose none get none, though IKE_AUTH's child SA never has one.
#[test]
fn perfect_forward_secrecy_is_the_peers_choice() {
    use DhGroup::{Curve25519, P256};
    for (proposals, ke, chosen) in [
        (vec![esp(1, &[])], None, Some((1, None))),
        (vec![esp(1, &[31])], Some(Curve25519), Some((1, Some(31)))),
        (vec![esp(1, &[19])], Some(P256), Some((1, Some(19)))),
        (vec![esp(1, &[19, 31])], Some(Curve25519), Some((1, Some(31)))),
        (vec![esp(1, &[31, NONE])], Some(Curve25519), Some((1, Some(31)))),
        (vec![esp(1, &[21, NONE])], None, Some((1, Some(NONE)))),
        (
            vec![esp(1, &[]), esp(2, &[31])],
            Some(Curve25519),
            Some((2, Some(31))),
        ),
        (vec![esp(1, &[21]), esp(2, &[])], None, Some((2, None))),
        // A KE payload that no proposal asks for.
        (vec![esp(1, &[])], Some(P256), Some((1, None))),
        (vec![esp(1, &[21])], None, None),
    ] {
        let (mut fleet, mut initiator) = connected(Customer::new(1));
        let mut payloads = wish(proposals.clone());
        let public = ke.map(|group| (group.id(), public_value(group)));
        if let Some((group, public)) = &public {
            payloads.push(Payload::KeyExchange(KeyExchange {
                group: *group,
                public,
            }));
        }
        let sent = send(&mut initiator, &payloads);
        let answer = answer_to(&mut fleet, &initiator, &sent);
        let Some((number, group)) = chosen else {
            assert_eq!(answer, [notification(NotifyType::NO_PROPOSAL_CHOSEN, &[])]);
            continue;
        };
        let payloads = answer.payloads();
        let Some(Payload::Sa(taken)) = payloads.first() else {
            panic!("{answer:?} where SA was expected first");
        };
        let groups = |proposal: &Proposal<'_>| {
            let transforms = proposal.transforms.iter();
            let groups = transforms.filter(|it| it.kind == TransformType::KeyExchange);
            groups.map(|it| it.id).collect::<Vec<_>>()
        };
        let taken: Vec<_> = taken.iter().map(|it| (it.number, groups(it))).collect();
        assert_eq!(taken, [(number, group.into_iter().collect())], "{proposals:?}");
        let has_ke = payloads
            .iter()
            .any(|payload| matches!(payload, Payload::KeyExchange(_)));
        assert_eq!(has_ke, group.is_some_and(|id| id != NONE), "{proposals:?}");
    }
}

#[test]
fn a_wrong_guess_of_the_group_is_told_the_right_one() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let public = public_value(DhGroup::P256);
    for guess in [
        None,
        Some(KeyExchange {
            group: 19,
            public: &public,
        }),
    ] {
        let mut payloads = wish(vec![esp(1, &[19, 31])]);
        payloads.extend(guess.map(Payload::KeyExchange));
        let sent = send(&mut initiator, &payloads);
        let answer = answer_to(&mut fleet, &initiator, &sent);
        assert_eq!(answer, [notification(NotifyType::INVALID_KE_PAYLOAD, &[0, 31])]);
    }
    let refusal = ChildRefusal::WrongGroup(DhGroup::Curve25519);
    assert_eq!(fleet.last_event(), Some(&What::ChildRefused(refusal)));
    assert_eq!(fleet.commits.len(), 1);
}

#[test]
fn what_cannot_be_agreed_on_leaves_everything_as_it_is() {
    let elsewhere = Customer::new(9);
    let mut no_selectors = wish(vec![esp(1, &[])]);
    no_selectors[2] = Payload::TsI(elsewhere.local_ts);
    let mut only_esn = wish(vec![esp(1, &[])]);
    if let Payload::Sa(proposals) = &mut only_esn[0] {
        proposals[0].transforms[1].id = 1;
    }
    let mut not_found = wish(vec![esp(1, &[])]);
    let unknown = Notify::about_child(NotifyType::REKEY_SA, &[9; 4]);
    not_found.push(Payload::Notify(unknown));
    let mut not_esp = wish(vec![esp(1, &[])]);
    let ah = Notify {
        protocol: Protocol::Ah,
        ..unknown
    };
    not_esp.push(Payload::Notify(ah));
    let absent = |notify: Notify<'static>| {
        Payload::Notify(Notify {
            kind: NotifyType::CHILD_SA_NOT_FOUND,
            ..notify
        })
    };
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    for (payloads, answer, refusal) in [
        (
            no_selectors,
            notification(NotifyType::TS_UNACCEPTABLE, &[]),
            ChildRefusal::Selectors,
        ),
        (
            only_esn,
            notification(NotifyType::NO_PROPOSAL_CHOSEN, &[]),
            ChildRefusal::EsnOnly,
        ),
        (not_found, absent(unknown), ChildRefusal::NotFound),
        (not_esp, absent(ah), ChildRefusal::NotFound),
    ] {
        let sent = send(&mut initiator, &payloads);
        assert_eq!(answer_to(&mut fleet, &initiator, &sent), [answer]);
        assert_eq!(fleet.last_event(), Some(&What::ChildRefused(refusal)));
    }
    fleet
        .responder
        .handle_tunnel_removed(fleet.now, &Customer::new(1).tunnel().name);
    let sent = send(&mut initiator, &wish(vec![esp(1, &[])]));
    let answer = answer_to(&mut fleet, &initiator, &sent);
    assert_eq!(answer, [notification(NotifyType::NO_ADDITIONAL_SAS, &[])]);
    assert_eq!(fleet.commits.len(), 1);
}

/// MikroTik adds one; nothing has to be answered (RFC 7296 section 2.19).
#[test]
fn a_configuration_payload_is_passed_over() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let mut payloads = wish(vec![esp(1, &[])]);
    payloads.push(Payload::Configuration(&[1, 0, 0, 0, 0, 1, 0, 0]));
    let sent = send(&mut initiator, &payloads);
    assert_eq!(answer_to(&mut fleet, &initiator, &sent).len(), 4);
}

/// "The IKE SA is deleted" (RFC 7296 section 2.21.3).
#[test]
fn a_request_without_nonce_or_with_a_bad_public_value_is_malformed() {
    let without_nonce = {
        let mut payloads = wish(vec![esp(1, &[])]);
        payloads.remove(1);
        payloads
    };
    let bad_value = {
        let mut payloads = wish(vec![esp(1, &[31])]);
        payloads.push(Payload::KeyExchange(KeyExchange {
            group: 31,
            public: &[0; 32],
        }));
        payloads
    };
    for payloads in [without_nonce, bad_value] {
        let (mut fleet, mut initiator) = connected(Customer::new(1));
        let sent = send(&mut initiator, &payloads);
        let answer = answer_to(&mut fleet, &initiator, &sent);
        assert_eq!(answer, [notification(NotifyType::INVALID_SYNTAX, &[])]);
        assert!(matches!(
            fleet.last_event(),
            Some(What::Ended(Ending::Malformed(_)))
        ));
    }
}

/// An authenticated peer cannot fill the kernels of the fleet, neither with more child SAs nor with rekeys of one.
#[test]
fn the_number_of_child_sas_is_bounded() {
    let customer = Customer::new(1);
    let limits = Limits {
        children_max: 3,
        ..Limits::default()
    };
    let mut fleet = TestFleet::with_host(5, TestHost::new(5), limits);
    fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    let (theirs, _) = first_spis(&initiator);
    let mut grant = |payloads: &[Payload<'_>]| {
        let sent = send(&mut initiator, payloads);
        answer_to(&mut fleet, &initiator, &sent).len() == 4
    };
    assert!(grant(&wish(vec![esp(1, &[])])) && grant(&wish(vec![esp(1, &[])])));
    assert!(!grant(&wish(vec![esp(1, &[])])), "a fourth child SA");
    for _ in 0..3 {
        assert!(grant(&rekey(&theirs)));
    }
    assert!(!grant(&rekey(&theirs)), "a seventh child SA");
    assert_eq!(
        fleet.last_event(),
        Some(&What::ChildRefused(ChildRefusal::TooMany))
    );
}

#[test]
fn a_refused_commit_refuses_the_request() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    fleet.prompt = false;
    let sent = send(&mut initiator, &wish(vec![esp(1, &[])]));
    fleet.deliver(&sent);
    let spi = children(&fleet)[1].inbound_spi;
    let reply = fleet.finish(fleet.commits[1].id, CommitOutcome::Refused);
    let error = notification(NotifyType::TEMPORARY_FAILURE, &[]);
    assert_eq!(read(&initiator, &reply[0]), [error]);
    assert_eq!(fleet.deliver(&sent), reply);
    // Nothing is left of it.
    fleet.responder.handle_child_removed(fleet.now, spi);
    assert_eq!(fleet.drain(), []);
}

/// Whoever takes the IKE SA over goes on with the switch from the old child SA to the new.
#[test]
fn the_next_owner_finishes_what_the_rekey_has_begun() {
    let (fleet, mut initiator, old, new) = rekeyed();
    let mut other = TestFleet::new(6);
    other.now = fleet.now;
    other
        .responder
        .handle_restore(other.now, &last_ike(&fleet).snapshot)
        .unwrap();
    let delete = initiator.delete_child().unwrap();
    assert_eq!(other.deliver(&delete).len(), 1);
    assert_activates(&other, new);
    // And another, after it.
    let mut third = TestFleet::new(7);
    third.now = fleet.now;
    third
        .responder
        .handle_restore(third.now, &last_ike(&other).snapshot)
        .unwrap();
    third.wait(Duration::from_secs(6));
    assert!(matches!(last_changes(&third)[..], [&Change::RemoveChild(spi)] if spi == old));
}
