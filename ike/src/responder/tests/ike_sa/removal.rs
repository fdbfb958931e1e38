//! The fleet dropped an SA: the peer is told.

use std::time::Duration;

use super::*;
use crate::{Ending, IkeSpis};

#[test]
fn a_revoked_ike_sa_is_deleted_at_the_peer() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let spis = initiator.spis().unwrap();
    fleet.responder.handle_ike_removed(fleet.now, spis);
    let delete = fleet.drain().remove(0);
    assert_eq!(fleet.last_event(), Some(&What::Ended(Ending::Removed)));
    let answer = initiator.handle_datagram(&delete.payload).unwrap();
    assert_eq!(initiator.status(), Status::Closed);
    fleet.deliver(&answer);
    assert_nothing_left(&fleet);
    assert_eq!(fleet.commits.len(), 1, "the fleet knows already");
}

#[test]
fn a_peer_that_does_not_listen_is_told_a_few_times() {
    let (mut fleet, initiator) = connected(Customer::new(1));
    fleet
        .responder
        .handle_ike_removed(fleet.now, initiator.spis().unwrap());
    assert_eq!(fleet.drain().len(), 1);
    assert_eq!(fleet.wait(Duration::from_secs(600)).len(), 3);
    assert_nothing_left(&fleet);
    assert_eq!(fleet.commits.len(), 1);
}

/// Both sides delete at once (RFC 7296 section 1.4.1).
#[test]
fn deletes_may_cross() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    fleet
        .responder
        .handle_ike_removed(fleet.now, initiator.spis().unwrap());
    let ours = fleet.drain().remove(0);
    let theirs = initiator.delete_ike().unwrap();
    assert_eq!(fleet.deliver(&theirs).len(), 1);
    let answer = initiator.handle_datagram(&ours.payload).unwrap();
    fleet.deliver(&answer);
    assert_eq!(fleet.commits.len(), 1);

    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let spi = child(&fleet).inbound_spi;
    fleet.responder.handle_child_removed(fleet.now, spi);
    let ours = fleet.drain().remove(0);
    let theirs = initiator.delete_child().unwrap();
    // "The responses MUST NOT include Delete payloads for the deleted SAs."
    let answer = fleet.deliver(&theirs).remove(0);
    assert_eq!(read(&initiator, &answer), [] as [Payload<'_>; 0]);
    let answer = initiator.handle_datagram(&ours.payload).unwrap();
    fleet.deliver(&answer);
    assert_eq!(fleet.commits.len(), 1);
}

#[test]
fn a_revoked_child_sa_is_deleted_at_the_peer() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let spi = child(&fleet).inbound_spi;
    fleet.responder.handle_child_removed(fleet.now, spi);
    let delete = fleet.drain().remove(0);
    let answer = initiator.handle_datagram(&delete.payload).unwrap();
    assert!(initiator.child().is_none());
    assert_eq!(fleet.deliver(&answer), []);
    assert_eq!(initiator.status(), Status::Up);
    // Twice is once.
    fleet.responder.handle_child_removed(fleet.now, spi);
    assert_eq!(fleet.drain(), []);
}

/// One request at a time (RFC 7296 section 2.3).
#[test]
fn a_delete_waits_for_the_answer_to_what_went_before() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let probe = fleet.wait(Duration::from_secs(30)).remove(0).1;
    fleet
        .responder
        .handle_ike_removed(fleet.now, initiator.spis().unwrap());
    assert_eq!(fleet.drain(), []);
    let answer = initiator.handle_datagram(&probe.payload).unwrap();
    let delete = fleet.deliver(&answer).remove(0);
    initiator.handle_datagram(&delete.payload);
    assert_eq!(initiator.status(), Status::Closed);
}

#[test]
fn what_is_not_known_here_does_not_matter() {
    let (mut fleet, initiator) = connected(Customer::new(1));
    let spis = initiator.spis().unwrap();
    fleet.responder.handle_child_removed(fleet.now, 1);
    fleet
        .responder
        .handle_ike_removed(fleet.now, IkeSpis { initiator: 1, ..spis });
    fleet
        .responder
        .handle_ike_removed(fleet.now, IkeSpis { responder: 1, ..spis });
    assert_eq!(fleet.drain(), []);
}

/// INITIAL_CONTACT: the distributor drops the old IKE SA in the same revision, and says so.
#[test]
fn the_old_ike_sa_of_a_customer_that_came_back_is_let_go() {
    let (mut fleet, old) = connected(Customer::new(1));
    let mut new = Initiator::new(
        Customer {
            initial_contact: true,
            ..Customer::new(1)
        },
        2,
    );
    fleet.connect(&mut new);
    assert!(last_ike(&fleet).initial_contact);
    fleet.responder.handle_ike_removed(fleet.now, old.spis().unwrap());
    assert_eq!(fleet.drain().len(), 1);
    let probe = new.probe().unwrap();
    assert_eq!(fleet.deliver(&probe).len(), 1);
}
