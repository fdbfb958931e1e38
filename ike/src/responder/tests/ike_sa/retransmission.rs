//! Retransmissions and the window of message IDs (RFC 7296 sections 2.1 to 2.3).

use std::time::Duration;

use super::*;
use crate::wire::ExchangeType;
use crate::{CommitOutcome, Dropped};

#[test]
fn a_repeated_ike_sa_init_gets_the_same_answer() {
    let mut fleet = fleet_for(&Customer::new(1));
    let mut initiator = Initiator::new(Customer::new(1), 1);
    let init = initiator.start();
    let first = fleet.deliver(&init);
    // The same octets: no other nonce, SPI or public value was made.
    assert_eq!(fleet.deliver(&init), first);
    let auth = initiator.handle_datagram(&first[0].payload).unwrap();
    fleet.converse(&mut initiator, Some(auth));
    assert_eq!(initiator.status(), Status::Up);
}

#[test]
fn two_customers_behind_one_nat_may_choose_the_same_spi() {
    let mut fleet = fleet_for(&Customer::new(1));
    let init = Initiator::new(Customer::new(1), 1).start();
    let first = fleet.deliver(&init).remove(0);
    let mut other = init.clone();
    // Their nonces differ: the last octet of the request's nonce payload is one of many.
    let nonce = init.payload.len() - 2 * 28 - 1;
    other.payload[nonce] ^= 1;
    let second = fleet.deliver(&other).remove(0);
    assert_ne!(
        first.payload[8..16],
        second.payload[8..16],
        "the same responder SPI"
    );
    // Another port is another NAT mapping: the hashes in the answer differ.
    let mut elsewhere = init;
    elsewhere.path.local.set_port(1024);
    assert_ne!(fleet.deliver(&elsewhere)[0].payload, first.payload);
}

#[test]
fn ike_sa_init_is_not_answered_once_ike_auth_has_come() {
    let (mut fleet, initiator, _) = committing(Customer::new(1));
    let mut first = Initiator::new(Customer::new(1), 1);
    let init = first.start();
    assert_eq!(fleet.deliver(&init), []);
    assert_eq!(initiator.status(), Status::Connecting);
}

#[test]
fn a_repeated_ike_auth_gets_the_same_answer() {
    let (mut fleet, initiator) = connected(Customer::new(1));
    let auth = initiator.retransmit();
    let first = fleet.deliver(&auth);
    assert_eq!(first.len(), 1);
    assert_eq!(fleet.deliver(&auth), first);
    assert_eq!(fleet.commits.len(), 1);
}

#[test]
fn a_repeated_request_gets_the_same_answer_until_the_next() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let auth = initiator.retransmit();
    let first = initiator.probe().unwrap();
    let answer = fleet.deliver(&first);
    assert_eq!(fleet.deliver(&first), answer);
    let second = initiator.probe().unwrap();
    assert_ne!(fleet.deliver(&second), answer);
    // "It MUST ignore the request (and not, for example, attempt constructing a new response)".
    for old in [first, auth] {
        assert_eq!(fleet.deliver(&old), []);
        assert!(matches!(
            fleet.last_event(),
            Some(What::Dropped(Dropped::OutsideWindow { expected: 4, .. }))
        ));
    }
}

#[test]
fn requests_ahead_of_the_window_are_dropped() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let next = initiator.probe().unwrap();
    let ahead = initiator.probe().unwrap();
    assert_eq!(fleet.deliver(&ahead), []);
    assert_eq!(
        fleet.last_event(),
        Some(&What::Dropped(Dropped::OutsideWindow { got: 3, expected: 2 }))
    );
    assert_eq!(fleet.deliver(&next).len(), 1);
    assert_eq!(fleet.deliver(&ahead).len(), 1);
}

#[test]
fn a_damaged_request_leaves_the_window_where_it_is() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let good = initiator.probe().unwrap();
    let mut bad = good.clone();
    *bad.payload.last_mut().unwrap() ^= 1;
    assert_eq!(fleet.deliver(&bad), []);
    assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::NotAuthentic)));
    assert_eq!(fleet.deliver(&good).len(), 1);
    // One that only resembles the last request is not taken for it.
    assert_eq!(fleet.deliver(&bad), []);
}

#[test]
fn a_damaged_ike_auth_does_not_use_up_the_attempt() {
    let mut fleet = fleet_for(&Customer::new(1));
    let mut initiator = Initiator::new(Customer::new(1), 1);
    let auth = fleet.begin(&mut initiator).unwrap();
    let mut bad = auth.clone();
    bad.payload[60] ^= 1;
    assert_eq!(fleet.deliver(&bad), []);
    fleet.converse(&mut initiator, Some(auth));
    assert_eq!(initiator.status(), Status::Up);
}

/// While the reply to a DELETE waits for the fleet, nothing is answered; then the held reply is.
#[test]
fn requests_wait_while_a_reply_is_held() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    fleet.prompt = false;
    let delete = initiator.delete_child().unwrap();
    assert_eq!(fleet.deliver(&delete), []);
    assert_eq!(fleet.deliver(&delete), []);
    let next = initiator.probe().unwrap();
    assert_eq!(fleet.deliver(&next), []);
    let commit = fleet.commits.last().unwrap().id;
    let reply = fleet.finish(commit, CommitOutcome::Done);
    assert_eq!(fleet.deliver(&delete), reply);
    assert_eq!(fleet.deliver(&next).len(), 1);
    assert_eq!(fleet.commits.len(), 2);
}

#[test]
fn exchanges_that_do_not_fit_are_dropped() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    for exchange in [
        ExchangeType::IkeSaInit,
        ExchangeType::IkeAuth,
        ExchangeType::Other(240),
    ] {
        let sent = initiator.protected_request(exchange, &[]).unwrap();
        assert_eq!(fleet.deliver(&sent), []);
        assert!(matches!(fleet.last_event(), Some(What::Dropped(_))));
    }
    // Before IKE_AUTH, nothing but IKE_AUTH.
    let mut fleet = fleet_for(&Customer::new(1));
    let mut initiator = Initiator::new(Customer::new(1), 1);
    fleet.begin(&mut initiator).unwrap();
    let early = initiator.probe().unwrap();
    assert_eq!(fleet.deliver(&early), []);
    fleet.wait(Duration::from_secs(1));
    assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::Unexpected)));
}
