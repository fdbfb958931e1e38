//! Customers that ask for addresses (RFC 7296 section 2.19).

use std::net::IpAddr;

use super::*;
use crate::{TrafficSelector, Tunnel};

const ADDRESS: [u8; 4] = [10, 1, 0, 5];

/// CFG_REQUEST with INTERNAL_IP4_ADDRESS and INTERNAL_IP6_ADDRESS, both empty.
const REQUEST: [u8; 12] = [1, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0];

/// IKE_AUTH of a customer whose tunnel has these addresses, with `body` in CP; the answer.
fn ask(addresses: Vec<IpAddr>, body: &'static [u8]) -> (Initiator, Answer) {
    ask_with(addresses, body, None)
}

/// The same with these as TSi.
fn ask_with(
    addresses: Vec<IpAddr>,
    body: &'static [u8],
    ts_i: Option<Vec<TrafficSelector>>,
) -> (Initiator, Answer) {
    let customer = Customer::new(1);
    let mut fleet = TestFleet::new(5);
    let tunnel = Tunnel {
        addresses,
        ..customer.tunnel()
    };
    fleet.responder.handle_tunnel(fleet.now, tunnel);
    let mut initiator = Initiator::new(customer, 1);
    fleet.begin(&mut initiator);
    let request = initiator.auth_with(|payloads| {
        payloads.insert(1, Payload::Configuration(body));
        for payload in payloads {
            if let (Payload::TsI(selectors), Some(ts_i)) = (payload, &ts_i) {
                selectors.clone_from(ts_i);
            }
        }
    });
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

fn range(first: &str, last: &str) -> TrafficSelector {
    let [first, last] = [first, last].map(|it| it.parse().unwrap());
    let any = (TrafficSelector::ANY_PROTOCOL, TrafficSelector::ANY_PORT);
    TrafficSelector::new(any.0, any.1, first, last).unwrap()
}

/// RFC 7296 section 2.19: all addresses in TSi mean the one that is assigned, and nothing else of what the tunnel may have. A
/// network that the peer names is its own affair.
#[test]
fn an_assigned_address_narrows_ts_i_to_it() {
    let all = range("0.0.0.0", "255.255.255.255");
    let network = range("10.1.0.0", "10.1.255.255");
    let assigned = range("10.1.0.5", "10.1.0.5");
    let elsewhere: IpAddr = [10, 99, 0, 5].into();
    for (address, body, asked_for, expected) in [
        (ADDRESS.into(), &REQUEST[..], all, assigned),
        (ADDRESS.into(), &REQUEST, network, network),
        // Nothing is assigned to who asks for nothing; an address outside the tunnel narrows nothing.
        (ADDRESS.into(), &[1, 0, 0, 0], all, network),
        (elsewhere, &REQUEST, all, network),
    ] {
        let (_, answer) = ask_with(vec![address], body, Some(vec![asked_for]));
        let payloads = answer.payloads();
        let ts_i = payloads.iter().find_map(|payload| match payload {
            Payload::TsI(selectors) => Some(selectors.clone()),
            _ => None,
        });
        assert_eq!(ts_i, Some(vec![expected]), "{address}, {asked_for:?}");
    }
}
