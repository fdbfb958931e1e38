//! IKE fragmentation (RFC 7383).

use std::time::Duration;

use super::*;
use crate::wire::{Encrypted, Fragment};
use crate::{Dropped, Path, Route, Router, Slot};

/// Octets of the fragments that the customers here send.
const SIZE: usize = 150;

/// A customer whose IKE_AUTH response is long.
fn wordy() -> Customer {
    let network = |number: u8| range([192, 168, number, 0], [192, 168, number, 255]);
    Customer {
        local_ts: (0..16).map(network).collect(),
        remote_ts: (16..32).map(network).collect(),
        ..Customer::new(1)
    }
}

/// A customer that has its IKE_AUTH request, the edge, and the request.
fn initiated(customer: Customer) -> (TestFleet, Initiator, Transmit) {
    let mut fleet = fleet_for(&customer);
    let mut initiator = Initiator::new(customer, 1);
    let init = initiator.start();
    let response = fleet.deliver(&init).remove(0);
    let auth = initiator.handle_datagram(&response.payload).expect("IKE_AUTH");
    (fleet, initiator, auth)
}

fn deliver_all(fleet: &mut TestFleet, sent: &[Transmit]) -> Vec<Transmit> {
    sent.iter().flat_map(|sent| fleet.deliver(sent)).collect()
}

/// A customer that is connected although its IKE_AUTH was in fragments, those, and the edge's answer.
fn connected_in_fragments(customer: Customer) -> (TestFleet, Initiator, Vec<Transmit>, Vec<Transmit>) {
    let (mut fleet, mut initiator, auth) = initiated(customer);
    let fragments = initiator.cut(&auth, SIZE);
    assert!(fragments.len() > 2);
    let answer = deliver_all(&mut fleet, &fragments);
    for part in &answer {
        initiator.handle_datagram(&part.payload);
    }
    assert_eq!(initiator.status(), Status::Up, "{:?}", fleet.events);
    (fleet, initiator, fragments, answer)
}

fn fragment_of(sent: &Transmit) -> Option<Fragment> {
    let header = Header::decode(&sent.payload).unwrap();
    match Message::decode_body(header, &sent.payload).unwrap().encrypted {
        Some(Encrypted::Fragment { fragment, .. }) => Some(fragment),
        _ => None,
    }
}

#[test]
fn fragments_make_a_message_in_any_order() {
    for turn in 0..4 {
        let (mut fleet, mut initiator, auth) = initiated(Customer::new(1));
        let mut fragments = initiator.cut(&auth, SIZE);
        match turn {
            0 => {}
            1 => fragments.reverse(),
            2 => fragments.rotate_left(1),
            _ => {
                fragments = fragments
                    .iter()
                    .flat_map(|one| [one.clone(), one.clone()])
                    .collect()
            }
        }
        let answer = deliver_all(&mut fleet, &fragments);
        for part in &answer {
            initiator.handle_datagram(&part.payload);
        }
        assert_eq!(initiator.status(), Status::Up, "turn {turn}: {:?}", fleet.events);
        assert_eq!(fleet.commits.len(), 1);
    }
}

/// "It is RECOMMENDED that a value of 576 bytes as a maximum IP datagram size be used" (section 2.5.1).
#[test]
fn a_long_answer_comes_in_fragments_and_a_short_one_does_not() {
    let (mut fleet, mut initiator, _, answer) = connected_in_fragments(wordy());
    let total = answer.len() as u16;
    assert!(total > 1);
    for (number, part) in (1..).zip(&answer) {
        assert_eq!(fragment_of(part), Some(Fragment { number, total }));
        assert!(
            part.payload.len() <= 576 - 20 - 8 - 4,
            "{} octets",
            part.payload.len()
        );
    }
    assert_eq!(initiator.child().unwrap().remote_ts, wordy().remote_ts);
    let probe = initiator.probe().unwrap();
    let [answer] = &fleet.deliver(&probe)[..] else {
        panic!("a short answer in pieces");
    };
    assert_eq!(fragment_of(answer), None);
}

/// "IKE fragmentation MUST NOT be used unless both peers have indicated their support for it" (section 2.4).
#[test]
fn who_does_not_say_that_it_takes_fragments_gets_none() {
    let customer = Customer {
        takes_fragments: false,
        ..wordy()
    };
    let (mut fleet, mut initiator, auth) = initiated(customer);
    let fragments = initiator.cut(&auth, SIZE);
    assert_eq!(deliver_all(&mut fleet, &fragments), []);
    assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::Unexpected)));
    let answer = fleet.deliver(&auth);
    assert_eq!((answer.len(), fragment_of(&answer[0])), (1, None));
    assert!(answer[0].payload.len() > 576);
}

#[test]
fn requests_of_an_established_ike_sa_may_come_in_fragments() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let delete = initiator.delete_child().unwrap();
    let fragments = initiator.cut(&delete, 70);
    assert!(fragments.len() > 1);
    assert_eq!(deliver_all(&mut fleet, &fragments).len(), 1);
    assert!(changes(&fleet).any(|change| matches!(change, Change::RemoveChild(_))));
}

/// "If the responder receives a retransmitted fragment of a request when it has already processed that request and has
/// sent back a response, that event MUST only trigger a retransmission of the response message (fragmented or not) if the
/// Fragment Number field in the received fragment is set to 1" (section 2.6.1).
#[test]
fn only_the_first_fragment_brings_the_answer_again() {
    let (mut fleet, mut initiator, fragments, answer) = connected_in_fragments(wordy());
    assert_eq!(fleet.deliver(&fragments[0]), answer);
    assert_eq!(deliver_all(&mut fleet, &fragments[1..]), []);
    // The customer finds that its fragments are too large, and cuts smaller ones.
    let auth = initiator.retransmit();
    let smaller = initiator.cut(&auth, SIZE - 50);
    assert_eq!(deliver_all(&mut fleet, &smaller), answer);
    // Who does not know the key gets nothing.
    let mut forged = smaller[0].clone();
    *forged.payload.last_mut().unwrap() ^= 1;
    assert_eq!(fleet.deliver(&forged), []);
    assert_eq!(fleet.commits.len(), 1);
}

#[test]
fn while_the_answer_is_held_no_fragment_brings_it() {
    let (mut fleet, mut initiator, auth) = initiated(wordy());
    fleet.prompt = false;
    let fragments = initiator.cut(&auth, SIZE);
    assert_eq!(deliver_all(&mut fleet, &fragments), []);
    assert_eq!(deliver_all(&mut fleet, &fragments), []);
    assert_eq!(fleet.commits.len(), 1);
    let answer = fleet.finish(fleet.commits[0].id, crate::CommitOutcome::Done);
    assert!(answer.len() > 1);
    assert_eq!(fleet.deliver(&fragments[0]), answer);
}

#[test]
fn a_refusal_is_repeated_to_the_first_fragment() {
    let stranger = Customer {
        psk: crate::Secret::new(b"wrong".to_vec()),
        ..Customer::new(1)
    };
    let mut fleet = fleet_for(&Customer::new(1));
    let mut initiator = Initiator::new(stranger, 1);
    let auth = fleet.begin(&mut initiator).unwrap();
    let mut fragments = initiator.cut(&auth, SIZE);
    fragments.reverse();
    let refusal = deliver_all(&mut fleet, &fragments);
    assert_eq!(refusal.len(), 1);
    assert_eq!(deliver_all(&mut fleet, &fragments), refusal);
}

/// The same octets, not the same words: the peer may have some of the fragments already.
#[test]
fn another_edge_repeats_the_answer_fragment_by_fragment() {
    let (fleet, _, fragments, answer) = connected_in_fragments(wordy());
    let mut other = TestFleet::new(6);
    let snapshot = &last_ike(&fleet).snapshot;
    other.responder.handle_restore(other.now, snapshot).unwrap();
    assert_eq!(deliver_all(&mut other, &fragments), answer);
}

#[test]
fn fragments_that_reach_different_edges_go_to_the_same_owner() {
    let (_, mut initiator, auth) = initiated(Customer::new(1));
    for fragment in initiator.cut(&auth, SIZE) {
        let path = Path {
            local: fragment.path.peer,
            peer: fragment.path.local,
        };
        let (route, _) = Router::new(&TestFleet::spi_key()).route(path, &fragment.payload);
        assert_eq!(route, Route::Slot(Slot::new(5).unwrap()));
    }
}

#[test]
fn forged_fragments_do_not_take_the_place_of_the_true_ones() {
    let (mut fleet, mut initiator, auth) = initiated(Customer::new(1));
    let fragments = initiator.cut(&auth, SIZE);
    for fragment in &fragments {
        let mut forged = fragment.clone();
        *forged.payload.last_mut().unwrap() ^= 1;
        assert_eq!(fleet.deliver(&forged), []);
        assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::NotAuthentic)));
        // A true fragment under another number, or of more fragments.
        for place in [33, 35] {
            let mut moved = fragment.clone();
            moved.payload[place] += 1;
            assert_eq!(fleet.deliver(&moved), []);
        }
    }
    for part in deliver_all(&mut fleet, &fragments) {
        initiator.handle_datagram(&part.payload);
    }
    assert_eq!(initiator.status(), Status::Up, "{:?}", fleet.events);
}

/// "The receiver MUST discard all received fragments and start the reassembly process over with just the received"
/// fragment, if there are more of them now; the other way round "the message MUST be silently discarded" (section 2.6).
#[test]
fn fragments_of_two_sets_are_not_mixed() {
    let (mut fleet, mut initiator, auth) = initiated(Customer::new(1));
    let large = initiator.cut(&auth, SIZE);
    let small = initiator.cut(&auth, SIZE - 50);
    assert!(small.len() > large.len());
    assert_eq!(deliver_all(&mut fleet, &large[..large.len() - 1]), []);
    assert_eq!(fleet.deliver(&small[0]), []);
    assert_eq!(deliver_all(&mut fleet, &large), [], "the set that was given up");
    assert_eq!(deliver_all(&mut fleet, &small[1..]).len(), 1);
    assert!(
        fleet
            .events
            .iter()
            .all(|event| !matches!(event.what, What::Dropped(_)))
    );
}

#[test]
fn what_fragments_make_us_keep_has_a_limit() {
    let (mut fleet, mut initiator, _) = initiated(Customer::new(1));
    let auth = initiator
        .auth_with(|payloads| payloads.push(Payload::VendorId(&[0; 40_000])))
        .unwrap();
    let too_long = What::Dropped(Dropped::FragmentsTooLong);
    // Too many of them, and too much in them.
    for size in [SIZE, 1400] {
        let before = fleet.events.len();
        let fragments = initiator.cut(&auth, size);
        assert_eq!(deliver_all(&mut fleet, &fragments), []);
        let refused = fleet.events[before..]
            .iter()
            .filter(|event| event.what == too_long);
        let least = fragments.len() * size / (16 * 1024) - 1;
        assert!(refused.count() >= least, "fewer than {least} are refused");
    }
    // The customer's attempt is not used up.
    let auth = initiator.auth_with(|_| {}).unwrap();
    assert_eq!(fleet.deliver(&auth).len(), 1);
}

/// "If the receiver does not get all IKE fragments needed to reassemble the original message within a timeout interval, it
/// MUST discard all IKE Fragment messages received so far" (section 2.6).
#[test]
fn fragments_do_not_wait_for_ever() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let delete = initiator.delete_child().unwrap();
    let fragments = initiator.cut(&delete, 70);
    assert_eq!(fleet.deliver(&fragments[0]), []);
    fleet.wait(Duration::from_secs(30));
    assert_eq!(
        deliver_all(&mut fleet, &fragments[1..]),
        [],
        "a fragment was kept"
    );
    assert_eq!(fleet.deliver(&fragments[0]).len(), 1, "all of them again");
}

#[test]
fn answers_to_our_requests_may_come_in_fragments() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    fleet
        .responder
        .handle_child_removed(fleet.now, child(&fleet).inbound_spi);
    let delete = fleet.drain().remove(0);
    let answer = initiator.handle_datagram(&delete.payload).unwrap();
    let fragments = initiator.cut(&answer, 70);
    assert!(fragments.len() > 1);
    assert_eq!(deliver_all(&mut fleet, &fragments), []);
    assert_eq!(
        fleet.wait(Duration::from_secs(29)),
        [],
        "the request is sent again"
    );
}
