//! An operator moves a customer to another gateway (RFC 5685).

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::responder::tests::takeover::restore::taken_over;
use crate::wire::ExchangeType;
use crate::{Ending, Gateway, NoChild, Tunnel};

const PATIENCE: Duration = Duration::from_secs(60);

/// Another one than the customer has come to.
fn elsewhere() -> Gateway {
    Gateway::Name("gw.example".into())
}

fn follower() -> Customer {
    Customer {
        follows_redirects: true,
        ..Customer::new(1)
    }
}

fn redirected(customer: &Customer, to: Gateway) -> Tunnel {
    Tunnel {
        redirect: Some(to),
        ..customer.tunnel()
    }
}

/// The operator has a customer that is connected go elsewhere. Returns what it is sent.
fn told(fleet: &mut TestFleet, customer: &Customer, to: Gateway) -> Vec<Transmit> {
    let tunnel = redirected(customer, to);
    fleet.responder.handle_tunnel(fleet.now, tunnel);
    fleet.drain()
}

/// The operator does so before the customer comes.
fn connected_then(customer: Customer, to: Gateway) -> (TestFleet, Initiator) {
    let mut fleet = TestFleet::new(5);
    let tunnel = redirected(&customer, to);
    fleet.responder.handle_tunnel(fleet.now, tunnel);
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    assert_eq!(initiator.status(), Status::Up, "{:?}", fleet.events);
    (fleet, initiator)
}

fn redirect() -> Payload<'static> {
    notification(NotifyType::REDIRECT, b"\x03\x0agw.example")
}

#[track_caller]
fn assert_ended(fleet: &TestFleet, initiator: &Initiator) {
    let last = &fleet.commits.last().unwrap().changes[..];
    assert!(
        matches!(*last, [Change::RemoveIke(spis)] if Some(spis) == initiator.spis()),
        "{last:?}"
    );
}

/// Section 6: IDr, AUTH, our token and REDIRECT, and no child SA.
#[test]
fn who_connects_is_redirected_in_ike_auth() {
    let mut fleet = TestFleet::new(5);
    let tunnel = redirected(&follower(), elsewhere());
    fleet.responder.handle_tunnel(fleet.now, tunnel);
    let mut initiator = Initiator::new(follower(), 1);
    let auth = fleet.begin(&mut initiator).unwrap();
    let answer = answer_to(&mut fleet, &initiator, &auth);
    assert_eq!((answer.len(), answer.last()), (4, Some(redirect())));
    assert!(matches!(fleet.commits[0].changes[..], [Change::PutIke(_)]));
    let established = What::Established {
        remote_id: follower().id,
        child: Err(NoChild::Redirected(elsewhere())),
    };
    assert_eq!(fleet.last_event(), Some(&established));
}

/// Section 6: "The gateway MUST verify the client's AUTH payload before sending the REDIRECT payload".
#[test]
fn a_stranger_does_not_hear_where_the_customer_went() {
    let mut fleet = TestFleet::new(5);
    let tunnel = redirected(&follower(), elsewhere());
    fleet.responder.handle_tunnel(fleet.now, tunnel);
    let stranger = Customer {
        psk: crate::Secret::new(b"guessed".to_vec()),
        ..follower()
    };
    let mut initiator = Initiator::new(stranger, 1);
    let auth = fleet.begin(&mut initiator).unwrap();
    let answer = answer_to(&mut fleet, &initiator, &auth);
    assert_eq!(answer, [notification(NotifyType::AUTHENTICATION_FAILED, &[])]);
}

#[test]
fn who_was_redirected_in_ike_auth_may_end_it_and_else_we_do() {
    let (mut fleet, mut initiator) = connected_then(follower(), elsewhere());
    let delete = initiator.delete_ike().unwrap();
    assert_eq!(fleet.deliver(&delete).len(), 1);
    assert_ended(&fleet, &initiator);

    let (mut fleet, mut initiator) = connected_then(follower(), elsewhere());
    attend(&mut fleet, &mut initiator, PATIENCE - Duration::from_secs(1));
    assert_eq!(initiator.status(), Status::Up);
    attend(&mut fleet, &mut initiator, Duration::from_secs(2));
    assert_eq!(initiator.status(), Status::Closed);
    assert_ended(&fleet, &initiator);
    assert!(happened(&fleet).contains(&&What::Ended(Ending::Redirected)));
    assert_nothing_left(&fleet);
}

/// Section 5: without nonce, and repeated until it is answered.
#[test]
fn who_is_connected_is_told_and_has_time_to_move() {
    let (mut fleet, mut initiator) = connected(follower());
    let sent = told(&mut fleet, &follower(), elsewhere());
    let [request] = &sent[..] else {
        panic!("{} datagrams", sent.len());
    };
    assert_eq!(read(&initiator, request), [redirect()]);
    let again = fleet.wait(Duration::from_secs(3)).remove(0).1;
    assert_eq!(again, *request);
    let answer = initiator.handle_datagram(&request.payload);
    fleet.converse(&mut initiator, answer);
    attend(&mut fleet, &mut initiator, PATIENCE - Duration::from_secs(5));
    assert_eq!(initiator.status(), Status::Up);
    assert_eq!(fleet.commits.len(), 1, "nothing has changed for the fleet yet");
    attend(&mut fleet, &mut initiator, Duration::from_secs(5));
    assert_eq!(initiator.status(), Status::Closed);
    assert_ended(&fleet, &initiator);
    assert_nothing_left(&fleet);
}

#[test]
fn who_moves_in_time_ends_it_itself() {
    let (mut fleet, mut initiator) = connected(follower());
    let request = told(&mut fleet, &follower(), elsewhere()).remove(0);
    let answer = initiator.handle_datagram(&request.payload);
    fleet.converse(&mut initiator, answer);
    let delete = initiator.delete_ike().unwrap();
    assert_eq!(fleet.deliver(&delete).len(), 1);
    assert_ended(&fleet, &initiator);
    assert_eq!(fleet.last_event(), Some(&What::Ended(Ending::PeerDeleted)));
}

/// Section 3: "the responder MUST NOT send the REDIRECT payload to the VPN client".
#[test]
fn who_does_not_follow_redirects_stays_and_the_operator_hears_of_it() {
    let stays = What::NotRedirected(elsewhere());
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    assert_eq!(told(&mut fleet, &Customer::new(1), elsewhere()), []);
    assert_eq!(fleet.last_event(), Some(&stays));
    attend(&mut fleet, &mut initiator, 10 * PATIENCE);
    assert_eq!(initiator.status(), Status::Up);
    assert!(initiator.child().is_some());

    let (fleet, initiator) = connected_then(Customer::new(1), elsewhere());
    assert_eq!(fleet.last_event(), Some(&stays));
    assert!(initiator.child().is_some());
    let said = happened(&fleet).into_iter().filter(|what| **what == stays);
    assert_eq!(said.count(), 1);
}

#[test]
fn who_has_come_to_where_it_is_sent_stays() {
    let here = Gateway::Address(follower().path.peer.ip());
    let (mut fleet, mut initiator) = connected_then(follower(), here);
    assert!(initiator.child().is_some());
    attend(&mut fleet, &mut initiator, 2 * PATIENCE);
    assert_eq!(initiator.status(), Status::Up);
}

/// Section 9.3: REDIRECTED_FROM "also serves the purpose of indicating support".
#[test]
fn who_was_sent_here_is_noted_and_may_be_sent_on() {
    let sent_by = [198, 51, 100, 200].into();
    let customer = Customer {
        sent_by: Some(sent_by),
        ..Customer::new(1)
    };
    let (mut fleet, initiator) = connected(customer.clone());
    assert_eq!(fleet.last_event(), Some(&What::RedirectedFrom(sent_by.into())));
    let request = told(&mut fleet, &customer, elsewhere()).remove(0);
    assert_eq!(read(&initiator, &request), [redirect()]);
}

#[test]
fn an_operator_may_change_its_mind() {
    let (mut fleet, mut initiator) = connected(follower());
    let first = told(&mut fleet, &follower(), Gateway::Name("old.example".into())).remove(0);
    let answer = initiator.handle_datagram(&first.payload);
    fleet.converse(&mut initiator, answer);
    attend(&mut fleet, &mut initiator, PATIENCE / 2);
    let second = told(&mut fleet, &follower(), elsewhere()).remove(0);
    assert_eq!(read(&initiator, &second), [redirect()]);
    let answer = initiator.handle_datagram(&second.payload);
    fleet.converse(&mut initiator, answer);
    attend(&mut fleet, &mut initiator, PATIENCE - Duration::from_secs(5));
    assert_eq!(initiator.status(), Status::Up, "it has as much time as at first");

    let tunnel = follower().tunnel();
    fleet.responder.handle_tunnel(fleet.now, tunnel);
    attend(&mut fleet, &mut initiator, 2 * PATIENCE);
    assert_eq!(initiator.status(), Status::Up);
}

#[test]
fn another_edge_that_takes_over_goes_on_with_it() {
    let (mut fleet, mut initiator) = connected(follower());
    let request = told(&mut fleet, &follower(), elsewhere()).remove(0);
    initiator.handle_datagram(&request.payload);
    let mut other = taken_over(&fleet, 6);
    let tunnel = redirected(&follower(), elsewhere());
    other.responder.handle_tunnel(other.now, tunnel);
    for request in other.drain() {
        let answer = initiator.handle_datagram(&request.payload);
        other.converse(&mut initiator, answer);
    }
    attend(&mut other, &mut initiator, 2 * PATIENCE);
    assert_eq!(initiator.status(), Status::Closed);
    assert_ended(&other, &initiator);
}

/// With MOBIKE a customer may move between addresses of the fleet.
fn move_to(initiator: &mut Initiator, address: IpAddr) -> Transmit {
    let update = Payload::Notify(Notify::new(NotifyType::UPDATE_SA_ADDRESSES, &[]));
    let update = initiator.protected_request(ExchangeType::Informational, &[update]);
    let mut update = update.unwrap();
    update.path.peer.set_ip(address);
    update
}

/// The gateway that the operator sends a customer to, another address of the fleet.
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 99));

/// As often as it likes, and it may leave our requests unanswered meanwhile.
#[test]
fn who_goes_to_and_fro_does_not_make_us_keep_a_redirect_for_each_time() {
    let (mut fleet, mut initiator, _) = mobile(follower());
    let here = initiator.path().peer.ip();
    let mut asked = told(&mut fleet, &follower(), Gateway::Address(THERE));
    for to in [THERE, here].repeat(10) {
        let update = move_to(&mut initiator, to);
        assert_eq!(fleet.deliver(&update).len(), 1);
    }
    let mut redirects = 0;
    while let Some(request) = asked.pop() {
        let asked_for = read(&initiator, &request);
        redirects += usize::from(NotifyType::REDIRECT.is_in(&asked_for.payloads()));
        let answer = initiator.handle_datagram(&request.payload).unwrap();
        asked.extend(fleet.deliver(&answer));
    }
    assert_eq!(redirects, 1);
}

#[test]
fn who_goes_to_and_fro_has_no_more_time() {
    let (mut fleet, mut initiator, _) = mobile(follower());
    let here = initiator.path().peer.ip();
    let request = told(&mut fleet, &follower(), Gateway::Address(THERE)).remove(0);
    let answer = initiator.handle_datagram(&request.payload);
    fleet.converse(&mut initiator, answer);
    let mut go = |to, stay| {
        let update = move_to(&mut initiator, to);
        fleet.converse(&mut initiator, Some(update));
        attend(&mut fleet, &mut initiator, stay);
        initiator.status()
    };
    let second = Duration::from_secs(1);
    for _ in 0..2 {
        assert_eq!(go(THERE, 10 * second), Status::Up);
        assert_eq!(go(here, 10 * second), Status::Up);
    }
    // Where it was sent it may stay as long as it likes, and not a moment longer elsewhere.
    assert_eq!(go(THERE, 2 * PATIENCE), Status::Up);
    assert_eq!(go(here, second), Status::Closed);
    assert_ended(&fleet, &initiator);
}

/// What the customer has announced in IKE_SA_INIT is true for the IKE SAs that follow.
#[test]
fn the_rekeyed_ike_sa_is_redirected_too() {
    let (mut fleet, mut initiator) = connected(follower());
    let public = crate::responder::tests::create_child_sa::rekey_ike::public_value();
    let request = crate::responder::tests::create_child_sa::rekey_ike::wish(&[7; 8], 31, &public);
    let rekey = initiator.protected_request(ExchangeType::CreateChildSa, &request);
    assert_eq!(fleet.deliver(&rekey.unwrap()).len(), 1);
    let sent = told(&mut fleet, &follower(), elsewhere());
    let spis = |sent: &Transmit| Header::decode(&sent.payload).unwrap().spis.initiator;
    assert_eq!(
        sent.iter().map(spis).collect::<Vec<_>>(),
        [u64::from_be_bytes([7; 8])]
    );
}

#[test]
fn who_rekeys_the_ike_sa_has_no_more_time() {
    let (mut fleet, mut initiator) = connected(follower());
    let request = told(&mut fleet, &follower(), elsewhere()).remove(0);
    let answer = initiator.handle_datagram(&request.payload);
    fleet.converse(&mut initiator, answer);
    attend(&mut fleet, &mut initiator, PATIENCE / 2);
    let rekey = initiator.rekey_ike();
    fleet.converse(&mut initiator, rekey);
    attend(&mut fleet, &mut initiator, PATIENCE / 2 - Duration::from_secs(2));
    assert_eq!(initiator.status(), Status::Up);
    attend(&mut fleet, &mut initiator, Duration::from_secs(3));
    assert_eq!(initiator.status(), Status::Closed);
    assert_ended(&fleet, &initiator);
}
