//! The peer's requests within an established IKE SA.

use super::*;
use crate::wire::{Delete, ExchangeType, PayloadType, Protocol};
use crate::{CommitOutcome, Ending};

/// The answer's payloads, as the customer reads them.
fn ask(fleet: &mut TestFleet, initiator: &mut Initiator, payloads: &[Payload<'_>]) -> Answer {
    let sent = initiator
        .protected_request(ExchangeType::Informational, payloads)
        .unwrap();
    answer_to(fleet, initiator, &sent)
}

fn deletion(spis: Vec<u32>) -> Payload<'static> {
    Payload::Delete(Delete::Child {
        protocol: Protocol::Esp,
        spis,
    })
}

#[test]
fn an_empty_request_is_answered_at_once() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    fleet.prompt = false;
    assert_eq!(ask(&mut fleet, &mut initiator, &[]), [] as [Payload<'_>; 0]);
    assert_eq!(fleet.commits.len(), 1);
}

#[test]
fn the_peer_deletes_its_child_sa() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    fleet.prompt = false;
    let inbound_spi = child(&fleet).inbound_spi;
    let delete = initiator.delete_child().unwrap();
    assert_eq!(fleet.deliver(&delete), [], "an answer before the fleet knows");
    let commit = fleet.commits.last().unwrap();
    assert!(
        matches!(commit.changes[..], [Change::RemoveChild(spi), Change::PutIke(_)] if spi == inbound_spi)
    );
    assert!(!last_ike(&fleet).initial_contact);

    let reply = fleet.finish(commit.id, CommitOutcome::Done).remove(0);
    assert_eq!(read(&initiator, &reply), [deletion(vec![inbound_spi])]);
    assert!(happened(&fleet).contains(&&What::ChildrenDeleted(vec![inbound_spi])));
    // The IKE SA lives on, and the SPI is known no longer.
    fleet.responder.handle_child_removed(fleet.now, inbound_spi);
    assert_eq!(fleet.drain(), []);
    assert_eq!(ask(&mut fleet, &mut initiator, &[]), [] as [Payload<'_>; 0]);
}

#[test]
fn unknown_spis_in_a_delete_are_passed_over() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let ours = child(&fleet).inbound_spi;
    let theirs = child(&fleet).outbound_spi;
    let ah = Payload::Delete(Delete::Child {
        protocol: Protocol::Ah,
        spis: vec![theirs],
    });
    for unknown in [
        deletion(vec![]),
        deletion(vec![1, 2, 3]),
        deletion(vec![ours]),
        ah,
    ] {
        assert_eq!(
            ask(&mut fleet, &mut initiator, &[unknown]),
            [] as [Payload<'_>; 0]
        );
    }
    assert_eq!(fleet.commits.len(), 1);
    let mixed = [deletion(vec![theirs, 77, theirs]), deletion(vec![theirs])];
    assert_eq!(ask(&mut fleet, &mut initiator, &mixed), [deletion(vec![ours])]);
}

#[test]
fn the_peer_deletes_the_ike_sa() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let delete = initiator.delete_ike().unwrap();
    fleet.prompt = false;
    assert_eq!(fleet.deliver(&delete), [], "an answer before the fleet knows");
    let commit = fleet.commits.last().unwrap();
    assert!(matches!(commit.changes[..], [Change::RemoveIke(spis)] if Some(spis) == initiator.spis()));
    // The fleet's own word of it comes first: no DELETE of ours, of the child SA neither.
    let ike = commit.ike;
    let inbound_spi = child(&fleet).inbound_spi;
    fleet.responder.handle_child_removed(fleet.now, inbound_spi);
    fleet.responder.handle_ike_removed(fleet.now, ike);
    assert_eq!(fleet.drain(), []);
    let reply = fleet.finish(fleet.commits[1].id, CommitOutcome::Done);
    assert_eq!(read(&initiator, &reply[0]), [] as [Payload<'_>; 0]);
    assert!(happened(&fleet).contains(&&What::Ended(Ending::PeerDeleted)));
    // The reply may get lost; nothing else is answered any more.
    assert_eq!(fleet.deliver(&delete), reply);
    let probe = initiator.probe().unwrap();
    assert_eq!(fleet.deliver(&probe), []);
    fleet.wait(Duration::from_secs(120));
    assert_eq!(fleet.deliver(&delete), []);
    assert_nothing_left(&fleet);
}

/// Neither the peer nor the kernels have use for what the fleet cannot drop.
#[test]
fn a_refused_removal_is_answered_all_the_same() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    fleet.prompt = false;
    let delete = initiator.delete_ike().unwrap();
    fleet.deliver(&delete);
    let commit = fleet.commits[1].id;
    assert_eq!(fleet.finish(commit, CommitOutcome::Refused).len(), 1);
}

#[test]
fn an_unknown_critical_payload_refuses_the_request_only() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    // The unknown payload, and a DELETE of the IKE SA behind it.
    let unknown = |critical: u8| [42, critical, 0, 4, 0, 0, 0, 8, 1, 0, 0, 0];
    let sent = initiator
        .raw_request(ExchangeType::Informational, 200, &unknown(0x80))
        .unwrap();
    let answer = answer_to(&mut fleet, &initiator, &sent);
    assert_eq!(
        answer,
        [notification(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, &[200])]
    );
    assert_eq!(fleet.commits.len(), 1);
    // Not critical: passed over, and the DELETE counts.
    let sent = initiator
        .raw_request(ExchangeType::Informational, 200, &unknown(0))
        .unwrap();
    assert_eq!(answer_to(&mut fleet, &initiator, &sent), [] as [Payload<'_>; 0]);
    assert_eq!(fleet.commits.len(), 2);
}

/// "This error notification is considered fatal in both peers" (RFC 7296 section 2.21.3).
#[test]
fn an_authentic_but_malformed_request_ends_the_ike_sa() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    // A Notify payload without its fixed part.
    let sent = initiator
        .raw_request(
            ExchangeType::Informational,
            PayloadType::NOTIFY.0,
            &[0, 0, 0, 5, 0],
        )
        .unwrap();
    let answer = answer_to(&mut fleet, &initiator, &sent);
    assert_eq!(answer, [notification(NotifyType::INVALID_SYNTAX, &[])]);
    assert!(matches!(fleet.commits[1].changes[..], [Change::RemoveIke(_)]));
    assert!(matches!(
        fleet.last_event(),
        Some(What::Ended(Ending::Malformed(_)))
    ));
}

/// A peer that does not believe our AUTH says so in the exchange after it (RFC 7296 section 2.21.2).
#[test]
fn authentication_failed_right_after_ike_auth_ends_the_ike_sa() {
    let failed = || {
        [Payload::Notify(Notify::new(
            NotifyType::AUTHENTICATION_FAILED,
            &[],
        ))]
    };
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    assert_eq!(ask(&mut fleet, &mut initiator, &failed()), [] as [Payload<'_>; 0]);
    assert!(matches!(fleet.commits[1].changes[..], [Change::RemoveIke(_)]));
    assert_eq!(fleet.last_event(), Some(&What::Ended(Ending::PeerRefused(24))));

    // Later it means nothing.
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    ask(&mut fleet, &mut initiator, &[]);
    ask(&mut fleet, &mut initiator, &failed());
    assert_eq!(fleet.last_event(), Some(&What::Notified(24)));
    assert_eq!(fleet.commits.len(), 1);
}

/// 65 Vendor ID payloads, which nobody would have to read.
fn too_many() -> Vec<u8> {
    let vendor_id = PayloadType::VENDOR_ID.0;
    let mut chain = [vendor_id, 0, 0, 4].repeat(64);
    chain.extend([0, 0, 0, 4]);
    chain
}

/// A message with more payloads than are read is no ground for an end: INVALID_SYNTAX would be "considered fatal in both peers"
/// (RFC 7296 section 2.21.3).
#[test]
fn too_many_payloads_cost_that_message_only() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let vendor_id = PayloadType::VENDOR_ID.0;
    for exchange in [ExchangeType::Informational, ExchangeType::CreateChildSa] {
        let sent = initiator.raw_request(exchange, vendor_id, &too_many()).unwrap();
        let answer = answer_to(&mut fleet, &initiator, &sent);
        assert_eq!(
            answer,
            [notification(NotifyType::NO_ADDITIONAL_SAS, &[])],
            "{exchange:?}"
        );
    }
    // The answer to a request of ours, which asks whether the peer is there.
    let (_, ours) = fleet.wait(120 * SECOND).remove(0);
    let answer = initiator.raw_answer(&ours, vendor_id, &too_many()).unwrap();
    fleet.deliver(&answer);

    let ended = |what: &&What| matches!(what, What::Ended(_));
    assert_eq!(happened(&fleet).into_iter().find(ended), None);
    assert_eq!(fleet.commits.len(), 1, "something was changed");
    let probe = initiator.probe().unwrap();
    assert_eq!(fleet.deliver(&probe).len(), 1, "the IKE SA does not work");
}
