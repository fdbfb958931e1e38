//! More IKE_SA_INIT than honest customers send: cookies (RFC 7296 section 2.6) and the limits of half-open IKE SAs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;
use crate::testkit::TestHost;
use crate::{DhGroup, Dropped, IkeSuite, InitRefusal, Limits};

/// An edge that knows the customers' tunnels and takes so many half-open IKE SAs.
fn edge(limits: Limits, customers: &[&Customer]) -> TestFleet {
    edge_with(TestHost::new(1), limits, customers)
}

fn edge_with(host: TestHost, limits: Limits, customers: &[&Customer]) -> TestFleet {
    let mut fleet = TestFleet::with_host(5, host, limits);
    for customer in customers {
        fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
    }
    fleet
}

/// Every newcomer needs a cookie.
fn wary() -> Limits {
    Limits {
        cookie_threshold: 0,
        ..Limits::default()
    }
}

/// The first message of one of any number of initiators at `source`, who never see an answer.
fn spoofed(number: u32, source: IpAddr) -> Transmit {
    let mut sent = Initiator::new(Customer::new(1), 1).start();
    sent.path.local.set_ip(source);
    // The initiator's SPI.
    sent.payload[..4].copy_from_slice(&number.to_be_bytes());
    sent
}

fn somewhere(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0b00_0000 + number).into()
}

fn cookies_asked(fleet: &TestFleet) -> usize {
    happened(fleet)
        .iter()
        .filter(|what| ***what == What::CookieAsked)
        .count()
}

#[test]
fn a_flood_of_forged_addresses_fills_no_memory_and_costs_no_key_exchange() {
    let limits = Limits::default();
    let customer = Customer::new(1);
    // What the edge would answer to the customer had nobody flooded it after the threshold: its randomness tells.
    let response_after = |flood: u32| {
        let mut fleet = edge(limits, &[&customer]);
        for number in 0..limits.cookie_threshold as u32 {
            fleet.deliver(&spoofed(number, somewhere(number)));
        }
        let full = (fleet.responder.half_open.len(), fleet.responder.timers.next());
        for number in 0..flood {
            let answers = fleet.deliver(&spoofed(number, somewhere(1 << 20 | number)));
            let (header, kind, _) = unprotected_error(&answers);
            assert_eq!((header.spis.responder, kind), (0, NotifyType::COOKIE));
            assert!(answers[0].payload.len() < 100, "an answer worth reflecting");
            assert_eq!(
                fleet.events.pop().map(|event| event.what),
                Some(What::CookieAsked)
            );
        }
        assert_eq!(
            (fleet.responder.half_open.len(), fleet.responder.timers.next()),
            full,
            "the flood is remembered"
        );
        let mut initiator = Initiator::new(customer.clone(), 1);
        let init = initiator.start();
        let cookie = fleet.deliver(&init).remove(0);
        let again = initiator
            .handle_datagram(&cookie.payload)
            .expect("a request with the cookie");
        let response = fleet.deliver(&again).remove(0);
        let auth = initiator.handle_datagram(&response.payload);
        fleet.converse(&mut initiator, auth);
        assert_eq!(initiator.status(), Status::Up, "a real customer is kept out");
        response
    };
    assert_eq!(
        response_after(100_000),
        response_after(0),
        "random numbers were drawn"
    );
}

#[test]
fn below_the_threshold_nobody_is_asked() {
    let limits = Limits {
        cookie_threshold: 2,
        ..Limits::default()
    };
    let mut fleet = edge(limits, &[&Customer::new(1)]);
    fleet.deliver(&spoofed(1, somewhere(1)));
    let mut initiator = Initiator::new(Customer::new(1), 1);
    fleet.connect(&mut initiator);
    assert_eq!(initiator.status(), Status::Up);
    assert_eq!(cookies_asked(&fleet), 0);
    // The customer is established and does not count any more.
    fleet.deliver(&spoofed(2, somewhere(2)));
    assert_eq!(cookies_asked(&fleet), 0);
    fleet.deliver(&spoofed(3, somewhere(3)));
    assert_eq!(cookies_asked(&fleet), 1);
    // And when the others have been forgotten, it is over.
    fleet.wait(limits.half_open_lifetime);
    fleet.deliver(&spoofed(4, somewhere(4)));
    assert_eq!(cookies_asked(&fleet), 1);
}

/// The network may deliver the request with the cookie to an edge that has not asked for it.
#[test]
fn a_cookie_is_good_at_another_edge() {
    let customer = Customer::new(1);
    let mut first = edge(wary(), &[&customer]);
    let mut second = edge_with(TestHost::new(2), wary(), &[&customer]);
    let mut initiator = Initiator::new(customer, 1);
    let init = initiator.start();
    let cookie = first.deliver(&init).remove(0);
    let again = initiator.handle_datagram(&cookie.payload);
    second.converse(&mut initiator, again);
    assert_eq!(initiator.status(), Status::Up);
    assert_eq!(cookies_asked(&second), 0);
}

/// "That party MUST ignore the cookie and process the message as if no cookie had been included."
#[test]
fn an_old_cookie_is_answered_with_a_new_one() {
    let host = TestHost::new(1);
    let clock = host.clock();
    let mut fleet = edge_with(host, wary(), &[&Customer::new(1)]);
    let mut initiator = Initiator::new(Customer::new(1), 1);
    let init = initiator.start();
    let old = fleet.deliver(&init).remove(0);
    let late = initiator.handle_datagram(&old.payload).unwrap();
    clock.fetch_add(300, Ordering::Relaxed);
    let new = fleet.deliver(&late).remove(0);
    assert_ne!(new, old);
    let again = initiator.handle_datagram(&new.payload);
    fleet.converse(&mut initiator, again);
    assert_eq!(initiator.status(), Status::Up);
    assert_eq!(cookies_asked(&fleet), 2);
}

/// Somebody else cannot use it, nor can its owner for other initiator SPIs.
#[test]
fn a_cookie_is_good_for_one_initiator() {
    let mut fleet = edge(wary(), &[]);
    let mut initiator = Initiator::new(Customer::new(1), 1);
    let init = initiator.start();
    let cookie = fleet.deliver(&init).remove(0);
    let again = initiator.handle_datagram(&cookie.payload).unwrap();
    let mut elsewhere = again.clone();
    elsewhere.path.local.set_ip(somewhere(1));
    let mut other_spi = again;
    other_spi.payload[0] ^= 1;
    for stolen in [elsewhere, other_spi] {
        let (_, kind, _) = unprotected_error(&fleet.deliver(&stolen));
        assert_eq!(kind, NotifyType::COOKIE);
    }
    assert_eq!(fleet.responder.half_open.len(), 0);
}

/// RFC 7296 section 2.6.1: one cookie and one hint at the group, in the shorter exchange.
#[test]
fn a_cookie_outlives_a_wrong_guess_of_the_group() {
    let mut ike = Customer::new(1).ike;
    ike.retain(|suite| suite.dh == DhGroup::Curve25519);
    let mut guess = ike[0];
    guess.dh = DhGroup::P384;
    let customer = Customer {
        ike: [vec![guess], ike].concat(),
        ..Customer::new(1)
    };
    let mut fleet = edge(wary(), &[&customer]);
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    assert_eq!(initiator.status(), Status::Up);
    let wrong_group = What::InitRefused(InitRefusal::WrongGroup {
        got: 20,
        wanted: DhGroup::Curve25519,
    });
    assert_eq!(happened(&fleet)[..2], [&What::CookieAsked, &wrong_group]);
    assert_eq!(cookies_asked(&fleet), 1);
}

/// Requests that come to nothing never reach the threshold, yet their errors are limited in number.
#[test]
fn a_flood_of_wrong_guesses_keeps_the_right_group_from_nobody() {
    let curve = |dh| IkeSuite {
        dh,
        ..Customer::new(1).ike[0]
    };
    let customer = Customer {
        ike: vec![curve(DhGroup::P384), curve(DhGroup::Curve25519)],
        ..Customer::new(1)
    };
    let mut fleet = edge(Limits::default(), &[&customer]);
    let wrong_guess = Initiator::new(customer.clone(), 1).start();
    let flood = (0..1_000).map(|number| {
        let mut sent = wrong_guess.clone();
        sent.path.local.set_ip(somewhere(number));
        fleet.deliver(&sent).remove(0)
    });
    let hints =
        flood.filter(|answer| unprotected_error(std::slice::from_ref(answer)).1 != NotifyType::COOKIE);
    assert!(hints.count() < 500);
    let mut initiator = Initiator::new(customer, 2);
    fleet.connect(&mut initiator);
    assert_eq!(initiator.status(), Status::Up, "{:?}", fleet.last_event());
}

/// One source cannot take all the room, and does not need any other customer's address to be kept out of its own share.
#[test]
fn a_source_has_its_share_and_no_more() {
    let limits = Limits {
        half_open_per_source: 2,
        ..wary()
    };
    let greedy: IpAddr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 1).into();
    let neighbour: IpAddr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 2).into();
    let other: IpAddr = Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1).into();
    let mut fleet = edge(limits, &[]);
    let begin = |fleet: &mut TestFleet, source: IpAddr, seed: u64| {
        let mut customer = Customer::new(1);
        customer.path.local.set_ip(source);
        let mut initiator = Initiator::new(customer, seed);
        let init = initiator.start();
        let cookie = fleet.deliver(&init).remove(0);
        let again = initiator.handle_datagram(&cookie.payload).unwrap();
        (fleet.deliver(&again).len(), again)
    };
    let (_, first) = begin(&mut fleet, greedy, 1);
    assert_eq!(begin(&mut fleet, neighbour, 2).0, 1);
    assert_eq!(begin(&mut fleet, greedy, 3).0, 0);
    assert_eq!(
        fleet.last_event(),
        Some(&What::Dropped(Dropped::TooManyFromSource))
    );
    assert_eq!(begin(&mut fleet, other, 4).0, 1, "another source suffers");
    // Those that are there still get their answer again.
    assert_eq!(fleet.deliver(&first).len(), 1);
    fleet.wait(limits.half_open_lifetime);
    assert_eq!(fleet.responder.half_open.len(), 0);
    assert_eq!(begin(&mut fleet, greedy, 5).0, 1, "the share is not given back");
}

#[test]
fn half_open_ike_sas_are_limited_in_number_and_time() {
    let limits = Limits {
        half_open_max: 3,
        ..Limits::default()
    };
    let mut fleet = edge(limits, &[]);
    let start = |seed| Initiator::new(Customer::new(1), seed).start();
    for seed in 0..3 {
        assert_eq!(fleet.deliver(&start(seed)).len(), 1);
    }
    let mut initiator = Initiator::new(Customer::new(1), 3);
    let init = initiator.start();
    let cookie = fleet.deliver(&init).remove(0);
    let again = initiator.handle_datagram(&cookie.payload).unwrap();
    assert_eq!(fleet.deliver(&again), []);
    assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::TooManyHalfOpen)));
    // Those that are there still get their answer again.
    assert_eq!(fleet.deliver(&start(0)).len(), 1);
    fleet.wait(limits.half_open_lifetime);
    let expired = happened(&fleet)
        .into_iter()
        .filter(|what| **what == What::Expired);
    assert_eq!(expired.count(), 3);
    assert_eq!(fleet.deliver(&again).len(), 1);
    fleet.wait(limits.half_open_lifetime + Duration::from_secs(1));
    assert_nothing_left(&fleet);
}
