//! Rekeys of child SAs that we begin, and those that both sides begin.

use super::*;
use crate::Limits;
use crate::responder::tests::pair::{FLEET, Pair, ROUTER};
use crate::testkit::TestHost;
use crate::wire::ExchangeType;

#[test]
fn a_child_sa_near_its_limit_is_replaced_whoever_notices() {
    for end in [FLEET, ROUTER] {
        let mut pair = Pair::new(1, [patient(); 2]);
        let old = [FLEET, ROUTER].map(|end| pair.sender(end));
        pair.near_limit(end);
        pair.run(10 * SECOND);
        pair.assert_agreed();
        for at in [FLEET, ROUTER] {
            assert_ne!(pair.sender(at), old[at]);
            assert_eq!(pair.count(at, was_added), 1);
        }
    }
}

/// "The timing of rekeying requests SHOULD be jittered" (RFC 7296 section 2.8.1).
#[test]
fn an_old_child_sa_is_replaced_a_bit_before_its_lifetime_ends() {
    let mut ages = Vec::new();
    for seed in 1..6 {
        let aging = Limits {
            child_lifetime: Some(3600 * SECOND),
            ..patient()
        };
        let mut pair = Pair::new(seed, [aging, patient()]);
        let mut age = Pair::AGE.as_secs();
        while pair.count(FLEET, was_added) == 0 {
            pair.run(SECOND);
            age += 1;
        }
        assert!((3240..=3601).contains(&age), "rekeyed after {age} seconds");
        ages.push(age);
    }
    ages.dedup();
    assert!(ages.len() > 3, "hardly any jitter: {ages:?}");
}

#[test]
fn the_next_owner_knows_how_old_a_child_sa_is() {
    let aging = Limits {
        child_lifetime: Some(3600 * SECOND),
        ..patient()
    };
    let mut pair = Pair::new(1, [aging, patient()]);
    pair.run(1800 * SECOND);
    pair.take_over(FLEET, 7);
    pair.run(1300 * SECOND);
    assert_eq!(pair.count(FLEET, was_added), 0);
    pair.run(500 * SECOND);
    pair.assert_agreed();
    assert_eq!(pair.count(FLEET, was_added), 1);
}

/// "If redundant SAs are created through such a collision, the SA created with the lowest of the four nonces used in the
/// two exchanges SHOULD be closed by the endpoint that created it" (RFC 7296 section 2.8.1).
#[test]
fn both_sides_rekey_a_child_sa_at_once() {
    let mut survivors = Vec::new();
    for seed in 1..9 {
        let mut pair = Pair::new(seed, [patient(); 2]);
        pair.near_limit(FLEET);
        pair.near_limit(ROUTER);
        pair.run(20 * SECOND);
        pair.assert_agreed();
        assert_eq!(pair.count(FLEET, was_added), 2, "{:?}", pair.story());
        let survivor = pair.sender(FLEET);
        let by = pair.story()[FLEET].iter().find_map(|what| match what {
            What::ChildAdded { inbound_spi, by, .. } if *inbound_spi == survivor => Some(*by),
            _ => None,
        });
        survivors.push(by.unwrap());
    }
    assert!(survivors.contains(&crate::Side::Us) && survivors.contains(&crate::Side::Peer));
}

/// "A will continue retransmitting the message, and eventually it will reach B": which does not know the child SA any
/// more, or is about to delete it (RFC 7296 section 2.8.1).
#[test]
fn the_request_of_one_side_comes_when_the_other_has_finished() {
    for first in [FLEET, ROUTER] {
        let mut pair = Pair::new(1, [patient(); 2]);
        pair.near_limit(first);
        pair.network.doomed[first] = 1;
        pair.run(Duration::from_millis(8));
        pair.near_limit(1 - first);
        pair.run(20 * SECOND);
        pair.assert_agreed();
        assert_eq!(pair.count(first, was_added), 1, "{:?}", pair.story());
        let refused = |what: &What| matches!(what, What::RekeyRefused(_));
        assert_eq!(pair.count(first, refused), 1, "{:?}", pair.story());
    }
}

/// Of two requests that reach us, the second comes when our answer to the first has gone.
#[test]
fn a_response_gets_lost_in_a_collision() {
    for lost in [FLEET, ROUTER] {
        let mut pair = Pair::new(3, [patient(); 2]);
        pair.near_limit(FLEET);
        pair.near_limit(ROUTER);
        pair.run(Duration::from_millis(12));
        pair.network.doomed[lost] = 1;
        pair.run(30 * SECOND);
        pair.assert_agreed();
    }
}

/// RFC 7296 section 2.25.1: one side deletes what the other rekeys.
#[test]
fn a_child_sa_is_deleted_while_it_is_rekeyed() {
    for (rekeys, offset) in [
        (FLEET, 0),
        (ROUTER, 0),
        (FLEET, 8),
        (ROUTER, 8),
        (FLEET, 14),
        (ROUTER, 14),
    ] {
        let mut pair = Pair::new(1, [patient(); 2]);
        pair.near_limit(rekeys);
        pair.run(Duration::from_millis(offset));
        pair.revoke(1 - rekeys);
        pair.run(40 * SECOND);
        pair.assert_agreed();
    }
}

/// "It MUST NOT immediately retry the operation"; after several minutes "it SHOULD conclude that the state information is
/// out of sync and close the IKE SA" (RFC 7296 section 2.25).
#[test]
fn a_peer_that_refuses_for_minutes_is_let_go() {
    use crate::Ending;
    let mut pair = Pair::new(1, [patient(); 2]);
    // It refuses for want of a tunnel.
    let now = pair.ends[ROUTER].edge.now;
    let tunnel = Customer::new(1).tunnel().name;
    pair.ends[ROUTER]
        .edge
        .responder
        .handle_tunnel_removed(now, &tunnel);
    pair.near_limit(FLEET);
    pair.run(29 * SECOND);
    let refused = |what: &What| matches!(what, What::RekeyRefused(_));
    assert_eq!(pair.count(FLEET, refused), 1, "retried at once");
    pair.near_limit(FLEET);
    pair.run(SECOND);
    assert_eq!(pair.count(FLEET, refused), 1, "retried at a kernel's notice");
    pair.run(600 * SECOND);
    assert_eq!(pair.count(FLEET, refused), 8);
    let ended = |what: &What| *what == What::Ended(Ending::RekeyRefused);
    assert_eq!(pair.count(FLEET, ended), 1);
    pair.assert_agreed();
    assert_nothing_left(&pair.ends[FLEET].edge);
}

/// What a peer's policy says of a key exchange of the child SA's own shows at the first rekey only, since IKE_AUTH's child
/// SA has none: we offer whatever it may want, and a wrong guess of the group is put right.
#[test]
fn the_peer_decides_on_a_key_exchange() {
    use crate::DhGroup::{Curve25519, P256};
    for (groups, refusals) in [(vec![], 0), (vec![Curve25519], 0), (vec![P256], 1)] {
        let mut pair = Pair::new(1, [patient(); 2]);
        pair.ends[ROUTER].edge.responder.config.ike.dh = groups;
        pair.near_limit(FLEET);
        pair.run(10 * SECOND);
        pair.assert_agreed();
        assert_eq!(pair.count(FLEET, was_added), 1, "{:?}", pair.story());
        let refused = |what: &What| *what == What::RekeyRefused(NotifyType::INVALID_KE_PAYLOAD.0);
        assert_eq!(pair.count(FLEET, refused), refusals);
    }
}

/// A pair whose router has lost the child SA without a word, as the fleet finds out when it rekeys it.
fn with_a_loss() -> Pair {
    let mut pair = Pair::new(1, [patient(); 2]);
    pair.network.doomed[ROUTER] = 1;
    pair.revoke(ROUTER);
    // Its DELETE does not arrive, and comes again too late.
    pair.near_limit(FLEET);
    pair
}

/// "A peer that receives a CHILD_SA_NOT_FOUND notification SHOULD silently delete the Child SA (if it still exists) and send a
/// request to create a new Child SA from scratch" (RFC 7296 section 2.25).
#[test]
fn a_child_sa_that_the_peer_has_lost_is_made_anew() {
    let mut pair = with_a_loss();
    let old = pair.sender(FLEET);
    pair.run(SECOND);
    let lost = |what: &What| matches!(what, What::ChildrenDeleted(_));
    assert_eq!(pair.count(FLEET, lost), 1, "{:?}", pair.story());
    pair.run(10 * SECOND);
    pair.assert_agreed();
    assert_ne!(pair.sender(FLEET), old);
    let anew = |what: &What| matches!(what, What::ChildAdded { replaces: None, .. });
    for end in [FLEET, ROUTER] {
        assert_eq!(pair.count(end, anew), 1, "{:?}", pair.story());
    }
    // There is nothing left to be made.
    pair.run(600 * SECOND);
    assert_eq!(pair.count(FLEET, was_added), 1);
    pair.assert_agreed();
}

/// The request to rekey it comes when both sides have deleted it.
#[test]
fn a_child_sa_that_the_peer_has_deleted_is_not_made_anew() {
    let mut pair = Pair::new(1, [patient(); 2]);
    pair.network.doomed[FLEET] = 1;
    pair.near_limit(FLEET);
    pair.run(Duration::from_millis(8));
    pair.revoke(ROUTER);
    pair.run(40 * SECOND);
    pair.assert_agreed();
    let not_found = What::RekeyRefused(NotifyType::CHILD_SA_NOT_FOUND.0);
    assert_eq!(
        pair.count(FLEET, |what| *what == not_found),
        1,
        "{:?}",
        pair.story()
    );
    assert_eq!([FLEET, ROUTER].map(|end| pair.count(end, was_added)), [0, 0]);
}

#[test]
fn what_the_peer_does_not_want_anew_is_let_go() {
    let mut pair = with_a_loss();
    pair.remove_tunnel(ROUTER);
    pair.run(600 * SECOND);
    pair.assert_agreed();
    let refused = |what: &What| matches!(what, What::RekeyRefused(_));
    assert_eq!(
        pair.count(FLEET, refused),
        2,
        "the rekey, and one try to make another"
    );
    assert_eq!(pair.count(FLEET, was_added), 0);
    let ended = |what: &What| matches!(what, What::Ended(_));
    assert_eq!(pair.count(FLEET, ended), 0, "{:?}", pair.story());
}

/// A peer that says that it has not found what we do not name either.
#[test]
fn a_child_sa_is_tried_anew_once() {
    let customer = Customer::new(1);
    let mut fleet = TestFleet::with_host(5, TestHost::new(5), patient());
    fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    let child = initiator.child().unwrap().outbound_spi;
    fleet.responder.handle_child_near_limit(fleet.now, child);
    let mut sent: Vec<_> = fleet.drain();
    let not_found = [Payload::Notify(Notify::new(NotifyType::CHILD_SA_NOT_FOUND, &[]))];
    for _ in 0..2 {
        let answer = initiator.blind_answer(&sent.remove(0), &not_found).unwrap();
        sent = fleet.deliver(&answer);
    }
    assert_eq!(sent, []);
    let ends = fleet.now + 600 * SECOND;
    while fleet.now < ends {
        for (_, request) in fleet.wait(SECOND) {
            let header = Header::decode(&request.payload).unwrap();
            assert_eq!(header.exchange, ExchangeType::Informational, "it is tried again");
            let answer = initiator.blind_answer(&request, &[]).unwrap();
            fleet.deliver(&answer);
        }
    }
}

#[test]
fn the_next_owner_makes_anew_what_was_lost() {
    for millis in [12, 24, 30, 36, 42, 48, 54, 60, 72] {
        let mut pair = with_a_loss();
        pair.run(Duration::from_millis(millis));
        pair.take_over(FLEET, 9);
        pair.run(120 * SECOND);
        pair.assert_agreed();
        assert_eq!(pair.count(ROUTER, was_added), 1, "after {millis} ms");
    }
}

/// The owner dies with its request under way, and the next one makes the same SA of the response.
#[test]
fn the_next_owner_finishes_our_exchange() {
    for millis in [3, 7, 12, 18, 30, 36, 42, 48, 54] {
        let mut pair = Pair::new(1, [patient(); 2]);
        pair.near_limit(FLEET);
        pair.run(Duration::from_millis(millis));
        pair.take_over(FLEET, 9);
        pair.run(60 * SECOND);
        pair.assert_agreed();
        assert_eq!(
            pair.count(ROUTER, was_added),
            usize::from(millis > 5),
            "after {millis} ms"
        );
    }
}
