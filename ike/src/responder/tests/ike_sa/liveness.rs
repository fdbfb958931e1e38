//! Our own requests: is the peer alive?

use std::time::Duration;

use super::*;
use crate::Ending;

const INTERVAL: Duration = Duration::from_secs(30);

#[test]
fn a_silent_peer_is_asked_and_answers() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    for _ in 0..7 {
        let sent = fleet.wait(INTERVAL);
        let [(_, probe)] = &sent[..] else {
            panic!("{} datagrams where one check was expected", sent.len());
        };
        let answer = initiator.handle_datagram(&probe.payload).expect("an answer");
        assert_eq!(fleet.deliver(&answer), []);
    }
    assert_eq!(fleet.commits.len(), 1, "liveness is nothing to commit");
}

#[test]
fn a_peer_that_speaks_is_not_asked() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    for _ in 0..10 {
        assert_eq!(fleet.wait(INTERVAL - Duration::from_secs(1)), []);
        let probe = initiator.probe().unwrap();
        assert_eq!(fleet.deliver(&probe).len(), 1);
    }
}

#[test]
fn a_dead_peer_is_asked_ever_more_slowly_and_given_up() {
    let (mut fleet, initiator) = connected(Customer::new(1));
    let sent = fleet.wait(Duration::from_secs(600));
    let times: Vec<u64> = sent.iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [30, 32, 36, 44, 60, 90, 120, 150]);
    assert!(
        sent.iter().all(|(_, transmit)| *transmit == sent[0].1),
        "retransmissions differ"
    );

    let removal = &fleet.commits[1].changes[..];
    assert!(matches!(*removal, [Change::RemoveIke(spis)] if Some(spis) == initiator.spis()));
    assert_eq!(fleet.last_event(), Some(&What::Ended(Ending::PeerDead)));
    assert_nothing_left(&fleet);
}

#[test]
fn a_late_answer_saves_the_peer() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let sent = fleet.wait(Duration::from_secs(170));
    // Whichever transmission it answers, and if it answers all of them.
    for (_, probe) in &sent {
        let answer = initiator.handle_datagram(&probe.payload).unwrap();
        assert_eq!(fleet.deliver(&answer), []);
    }
    let next = fleet.wait(INTERVAL).remove(0).1;
    assert_ne!(next, sent[0].1, "the message ID has not moved");
    assert!(initiator.handle_datagram(&next.payload).is_some());
    assert_eq!(fleet.commits.len(), 1);
}

#[test]
fn both_sides_may_ask_at_once() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let ours = fleet.wait(INTERVAL).remove(0).1;
    let theirs = initiator.probe().unwrap();
    let [answer_of_ours] = &fleet.deliver(&theirs)[..] else {
        panic!("the peer's request is not answered while ours is in flight");
    };
    initiator.handle_datagram(&answer_of_ours.payload);
    let answer = initiator.handle_datagram(&ours.payload).unwrap();
    fleet.deliver(&answer);
    assert!(fleet.wait(INTERVAL - Duration::from_secs(1)).is_empty());
}

#[test]
fn answers_that_nobody_asked_for_are_dropped() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let probe = fleet.wait(INTERVAL).remove(0).1;
    let answer = initiator.handle_datagram(&probe.payload).unwrap();
    let mut damaged = answer.clone();
    *damaged.payload.last_mut().unwrap() ^= 1;
    assert_eq!(fleet.deliver(&damaged), []);
    assert_eq!(
        fleet.last_event(),
        Some(&What::Dropped(crate::Dropped::NotAuthentic))
    );
    fleet.deliver(&answer);
    fleet.deliver(&answer);
    assert_eq!(
        fleet.last_event(),
        Some(&What::Dropped(crate::Dropped::Unexpected))
    );
}

/// The commit of a DELETE hangs: the IKE SA is neither asked nor given up while its peer waits for us.
#[test]
fn a_held_reply_does_not_make_the_peer_look_dead() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    fleet.prompt = false;
    let delete = initiator.delete_child().unwrap();
    fleet.deliver(&delete);
    assert_eq!(fleet.wait(Duration::from_secs(600)), []);
    assert_eq!(fleet.commits.len(), 2);
}
