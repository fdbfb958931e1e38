//! Customers that ask for addresses (RFC 7296 section 2.19).

use std::net::IpAddr;

use super::*;
use crate::Tunnel;

const ADDRESS: [u8; 4] = [10, 1, 0, 5];

/// CFG_REQUEST with INTERNAL_IP4_ADDRESS and INTERNAL_IP6_ADDRESS, both empty.
const REQUEST: [u8; 12] = [1, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0];

/// IKE_AUTH of a customer whose tunnel has these addresses, with `body` in CP; the answer.
fn ask(addresses: Vec<IpAddr>, body: &'static [u8]) -> (Initiator, Answer) {
    let customer = Customer::new(1);
    let mut fleet = TestFleet::new(5);
    let tunnel = Tunnel {
        addresses,
        ..customer.tunnel()
    };
    fleet.responder.handle_tunnel(fleet.now, tunnel);
    let mut initiator = Initiator::new(customer, 1);
    fleet.begin(&mut initiator);
    let request = initiator.auth_with(|payloads| payloads.insert(1, Payload::Configuration(body)));
    let reply = fleet.deliver(&request.unwrap()).remove(0);
    let answer = read(&initiator, &reply);
    initiator.handle_datagram(&reply.payload);
    (initiator, answer)
}

/// Its place is before SA (RFC 7296 section 2.19).
#[test]
fn the_tunnels_address_is_given_to_who_asks() {
    let (initiator, answer) = ask(vec![ADDRESS.into()], &REQUEST);
    assert_eq!(initiator.status(), Status::Up);
    let reply = [&[2, 0, 0, 0, 0, 1, 0, 4][..], &ADDRESS].concat();
    let behind = answer.behind(|payload| *payload == Payload::Configuration(&reply));
    assert!(matches!(behind, Some(Payload::Sa(_))), "{answer:?}");
}

#[test]
fn without_an_address_to_give_there_is_no_answer_and_the_tunnel_is_up() {
    let (initiator, answer) = ask(Vec::new(), &REQUEST);
    assert_eq!(initiator.status(), Status::Up);
    assert!(initiator.child().is_some());
    let is_reply = |payload: &Payload<'_>| matches!(payload, Payload::Configuration(_));
    assert!(!answer.payloads().iter().any(is_reply), "{answer:?}");
}

#[test]
fn a_malformed_request_ends_the_exchange() {
    let (initiator, _) = ask(vec![ADDRESS.into()], &REQUEST[..11]);
    assert_eq!(initiator.status(), Status::Refused(NotifyType::INVALID_SYNTAX.0));
}
