//! Another process takes an IKE SA over from its snapshot.

use std::collections::HashSet;
use std::time::Duration;

use super::*;
use crate::{CommitOutcome, Ending, RestoreError, Secret};

/// Another edge that has taken the customer's IKE SA over, from the fleet's latest record of it.
pub(in crate::responder::tests) fn taken_over(fleet: &TestFleet, slot: u16) -> TestFleet {
    let mut other = TestFleet::new(slot);
    other.now = fleet.now;
    other
        .responder
        .handle_restore(other.now, &last_ike(fleet).snapshot)
        .unwrap();
    other
}

/// The IV of an SK message on port 500.
fn iv(sent: &Transmit) -> [u8; 8] {
    sent.payload[32..40].try_into().unwrap()
}

#[test]
fn a_repeated_request_gets_the_same_octets_from_the_new_owner() {
    let (fleet, initiator) = connected(Customer::new(1));
    let auth = initiator.retransmit();
    let mut other = taken_over(&fleet, 6);
    let (mut fleet, mut initiator) = (fleet, initiator);
    assert_eq!(other.deliver(&auth), fleet.deliver(&auth));

    let delete = initiator.delete_child().unwrap();
    let reply = fleet.deliver(&delete);
    assert_eq!(taken_over(&fleet, 7).deliver(&delete), reply);
}

/// The owner died between the commit and the reply.
#[test]
fn a_reply_that_was_never_sent_comes_from_the_new_owner() {
    let (fleet, mut initiator, auth) = committing(Customer::new(1));
    let mut other = taken_over(&fleet, 6);
    other.converse(&mut initiator, Some(auth));
    assert_eq!(initiator.status(), Status::Up);
    assert!(initiator.child().is_some());
}

/// Requests that change nothing are in no snapshot, so that the peer may await any later message ID.
#[test]
fn the_new_owner_finds_the_message_id_however_far_the_peer_has_gone() {
    for minutes in [1, 10, 100] {
        let (mut fleet, mut initiator) = connected(Customer::new(1));
        attend(&mut fleet, &mut initiator, Duration::from_secs(60 * minutes));
        let mut other = taken_over(&fleet, 6);
        let inbound_spi = child(&fleet).inbound_spi;
        other.responder.handle_child_removed(other.now, inbound_spi);
        attend(&mut other, &mut initiator, Duration::from_secs(3));
        assert!(initiator.child().is_none(), "after {minutes} minutes");
    }
}

#[test]
fn the_new_owner_goes_on_where_the_old_one_stopped() {
    let (fleet, mut initiator) = connected(Customer::new(1));
    let inbound_spi = child(&fleet).inbound_spi;
    let mut other = taken_over(&fleet, 6);
    let probe = initiator.probe().unwrap();
    assert_eq!(other.deliver(&probe).len(), 1);
    other.responder.handle_child_removed(other.now, inbound_spi);
    let sent = other.drain();
    sent.iter().for_each(|sent| {
        let answer = initiator.handle_datagram(&sent.payload);
        other.converse(&mut initiator, answer);
    });
    assert!(initiator.child().is_none());
    let delete = initiator.delete_ike().unwrap();
    assert_eq!(other.deliver(&delete).len(), 1);
    let last = &other.commits.last().unwrap().changes;
    assert!(matches!(last[..], [Change::RemoveIke(_)]));
}

/// Requests that were answered without a commit are not in the snapshot.
#[test]
fn a_request_ahead_of_the_snapshot_is_taken_once_and_old_ones_shut_nobody_out() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let recorded: Vec<_> = (0..5).map(|_| initiator.probe().unwrap()).collect();
    for probe in &recorded {
        fleet.deliver(probe);
    }
    let mut other = taken_over(&fleet, 6);
    // Somebody on the way has recorded them, and sends some again.
    assert_eq!(other.deliver(&recorded[1]).len(), 1);
    assert_eq!(other.deliver(&recorded[2]).len(), 1);
    let seventh = initiator.probe().unwrap();
    let mut forged = seventh.clone();
    *forged.payload.last_mut().unwrap() ^= 1;
    assert_eq!(other.deliver(&forged), [], "a forgery moved the window");
    assert_eq!(other.deliver(&seventh).len(), 1);
    for probe in &recorded {
        assert_eq!(other.deliver(probe), [], "the window went back");
    }
}

/// An old request, replayed at the new owner from elsewhere, does not redirect the IKE SA.
#[test]
fn a_replayed_request_does_not_move_a_restored_peer() {
    let customer = Customer::new(1);
    let nat = [192, 0, 2, 99].into();
    let mut fleet = fleet_for(&customer);
    fleet.nat = Some(nat);
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    let probe = initiator.probe().unwrap();
    fleet.deliver(&probe);
    let mut other = taken_over(&fleet, 6);
    other.nat = Some([192, 0, 2, 66].into());
    assert_eq!(other.deliver(&probe).len(), 1);
    let ours = other.wait(Duration::from_secs(30)).remove(0).1;
    assert_eq!(ours.path.peer.ip(), nat);
}

/// Once it is found it is as any other.
#[test]
fn a_peer_that_is_found_is_asked_once_and_may_die() {
    let (fleet, mut initiator) = connected(Customer::new(1));
    let mut other = taken_over(&fleet, 6);
    attend(&mut other, &mut initiator, Duration::from_secs(40));
    let sent = other.wait(Duration::from_secs(30));
    assert!(
        !sent.is_empty() && sent.iter().all(|it| it.1 == sent[0].1),
        "not the same again: {sent:?}"
    );
    other.wait(Duration::from_secs(150));
    assert_eq!(other.last_event(), Some(&What::Ended(Ending::PeerDead)));
}

/// A peer that ignores message IDs too low for it is not dead, before all that it may await were tried several times.
#[test]
fn a_restored_peer_is_given_up_late() {
    let (fleet, mut initiator) = connected(Customer::new(1));
    let mut other = taken_over(&fleet, 6);
    other.wait(Duration::from_secs(600));
    assert!(other.commits.is_empty(), "{:?}", other.commits);
    assert!(happened(&other).contains(&&What::SilentSinceRestore));
    // That it speaks is no answer.
    let probe = initiator.probe().unwrap();
    assert_eq!(other.deliver(&probe).len(), 1);
    other.wait(Duration::from_secs(200));
    assert_eq!(other.last_event(), Some(&What::Ended(Ending::PeerDead)));
}

/// It answers nothing, and pretends to be somewhere else now and then.
#[test]
fn a_search_ends_wherever_the_peer_says_that_it_is() {
    let customer = Customer::new(1);
    let mut fleet = fleet_for(&customer);
    fleet.nat = Some([192, 0, 2, 99].into());
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    let mut other = taken_over(&fleet, 6);
    other.nat = Some([192, 0, 2, 66].into());
    let mut sent = 0;
    for _ in 0..200 {
        let probe = initiator.probe().unwrap();
        other.deliver(&probe);
        sent += other.wait(Duration::from_secs(400)).len();
    }
    assert!(sent < 1400, "{sent} datagrams");
}

#[test]
fn a_peer_that_was_away_during_a_takeover_is_found() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    attend(&mut fleet, &mut initiator, Duration::from_secs(600));
    let mut other = taken_over(&fleet, 6);
    let inbound_spi = child(&fleet).inbound_spi;
    other.responder.handle_child_removed(other.now, inbound_spi);
    other.wait(Duration::from_secs(400));
    attend(&mut other, &mut initiator, Duration::from_secs(60));
    assert!(initiator.child().is_none());
}

/// Somebody who cannot read them plays answers again that the peer gave to the owner before.
#[test]
fn old_answers_confirm_nothing() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let mut recorded = Vec::new();
    for _ in 0..6 {
        let probe = fleet.wait(Duration::from_secs(30)).remove(0).1;
        let answer = initiator.handle_datagram(&probe.payload).unwrap();
        fleet.deliver(&answer);
        recorded.push(answer);
    }
    let mut other = taken_over(&fleet, 6);
    let inbound_spi = child(&fleet).inbound_spi;
    other.responder.handle_child_removed(other.now, inbound_spi);
    other.drain();
    for answer in &recorded {
        other.deliver(answer);
    }
    attend(&mut other, &mut initiator, Duration::from_secs(60));
    assert!(initiator.child().is_none(), "the peer was never told");
}

/// Nor does the peer's refusal of a rekey leave an exchange behind that the next owner would go on with.
#[test]
fn a_takeover_after_a_refusal_finds_the_peer() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let inbound_spi = child(&fleet).inbound_spi;
    fleet.responder.handle_child_near_limit(fleet.now, inbound_spi);
    let request = fleet.drain().remove(0);
    let refusal = [Payload::Notify(Notify::new(NotifyType::TEMPORARY_FAILURE, &[]))];
    initiator.handle_datagram(&request.payload);
    let answer = initiator.blind_answer(&request, &refusal).unwrap();
    fleet.deliver(&answer);
    let probe = fleet.wait(Duration::from_secs(30)).remove(0).1;
    let answer = initiator.handle_datagram(&probe.payload);
    fleet.converse(&mut initiator, answer);
    let mut other = taken_over(&fleet, 6);
    attend(&mut other, &mut initiator, Duration::from_secs(900));
    assert_ne!(other.last_event(), Some(&What::Ended(Ending::PeerDead)));
}

#[test]
fn no_iv_comes_twice() {
    let mut ivs = HashSet::new();
    let mut note = |sent: Vec<Transmit>| {
        for sent in sent {
            assert!(ivs.insert(iv(&sent)), "IV {:?} came twice", iv(&sent));
        }
    };
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let auth = initiator.retransmit();
    note(fleet.deliver(&auth));
    let snapshot = last_ike(&fleet).snapshot.clone();
    let mut edges = [taken_over(&fleet, 6), taken_over(&fleet, 7), fleet];
    for edge in &mut edges {
        for _ in 0..3 {
            let probe = initiator.probe().unwrap();
            note(edge.deliver(&probe));
        }
    }
    // An edge that gave the IKE SA away, ended it here, and gets it back in the same process.
    let edge = &mut edges[2];
    edge.responder
        .handle_ike_removed(edge.now, initiator.spis().unwrap());
    note(edge.drain());
    edge.wait(Duration::from_secs(100));
    edge.responder.handle_restore(edge.now, &snapshot).unwrap();
    let probe = initiator.probe().unwrap();
    note(edge.deliver(&probe));
}

#[test]
fn an_ike_sa_runs_once() {
    let (mut fleet, initiator) = connected(Customer::new(1));
    let snapshot = last_ike(&fleet).snapshot.clone();
    let running = RestoreError::Running(initiator.spis().unwrap());
    assert_eq!(fleet.responder.handle_restore(fleet.now, &snapshot), Err(running));
    let (mut fleet, ..) = committing(Customer::new(1));
    let snapshot = last_ike(&fleet).snapshot.clone();
    assert!(matches!(
        fleet.responder.handle_restore(fleet.now, &snapshot),
        Err(RestoreError::Running(_))
    ));
    assert_eq!(fleet.finish(fleet.commits[0].id, CommitOutcome::Done).len(), 1);
}

#[test]
fn what_is_no_snapshot_is_refused() {
    let (mut fleet, _) = connected(Customer::new(1));
    let good = last_ike(&fleet).snapshot.expose().to_vec();
    let mut restore = |octets: &[u8]| {
        fleet
            .responder
            .handle_restore(fleet.now, &Secret::new(octets.to_vec()))
    };
    assert_eq!(restore(&[]), Err(RestoreError::Malformed));
    // The version before is read as well.
    for version in [good[0] - 2, good[0] + 1] {
        assert_eq!(restore(&[version, 0, 0]), Err(RestoreError::Version(version)));
    }
    for length in 1..good.len() {
        assert_eq!(
            restore(&good[..length]),
            Err(RestoreError::Malformed),
            "{length} octets"
        );
    }
    assert_eq!(restore(&[&good[..], &[0]].concat()), Err(RestoreError::Malformed));
}

/// Whatever was under way when it was written: the files are those of the codec's own tests.
#[test]
fn an_upgraded_edge_restores_what_the_version_before_wrote() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ike_sa/state/golden/version-8");
    for file in std::fs::read_dir(golden).unwrap() {
        let path = file.unwrap().path();
        let snapshot = Secret::new(std::fs::read(&path).unwrap());
        let mut fleet = fleet_for(&Customer::new(1));
        let restored = fleet.responder.handle_restore(fleet.now, &snapshot);
        assert_eq!(restored, Ok(()), "{}", path.display());
        fleet.drain();
        assert!(happened(&fleet).contains(&&What::Restored), "{}", path.display());
        // It answers, repeats or asks again what was under way, and ends on its own: nobody is there.
        fleet.wait(Duration::from_secs(3600));
        assert_nothing_left(&fleet);
    }
}
