//! NAT detection, and what follows from it (RFC 7296 section 2.23).

use std::net::SocketAddr;

use super::*;

#[test]
fn a_customer_behind_a_nat_moves_to_port_4500() {
    let customer = Customer::new(1);
    let mut fleet = fleet_for(&customer);
    fleet.nat = Some([192, 0, 2, 99].into());
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);

    assert_eq!(initiator.status(), Status::Up, "{:?}", fleet.events);
    assert_eq!(initiator.path().peer.port(), 4500);
    let child = child(&fleet);
    assert!(child.udp_encap);
    // The ports of IKE_AUTH, not those of IKE_SA_INIT.
    assert_eq!(child.path.local.port(), 4500);
    assert_eq!(child.path.peer, SocketAddr::from(([192, 0, 2, 99], 14500)));
    assert_eq!(last_ike(&fleet).path, child.path);
}

#[test]
fn answers_go_where_the_request_came_from_with_the_marker_on_4500() {
    let customer = Customer::new(1);
    let mut fleet = fleet_for(&customer);
    fleet.nat = Some([192, 0, 2, 99].into());
    let mut initiator = Initiator::new(customer, 1);
    let sent = initiator.start();
    let answer = fleet.deliver(&sent).remove(0);
    assert_eq!(answer.path.local.port(), 500);
    assert_eq!(answer.path.peer, SocketAddr::from(([192, 0, 2, 99], 10500)));
    let auth = initiator.handle_datagram(&answer.payload).unwrap();
    let answer = fleet.deliver(&auth).remove(0);
    assert_eq!(answer.path.local.port(), 4500);
    assert_eq!(answer.path.peer, SocketAddr::from(([192, 0, 2, 99], 14500)));
    assert_eq!(answer.payload[..4], [0; 4]);
}

/// "UDP encapsulation MUST NOT be done on port 500."
#[test]
fn a_customer_behind_a_nat_that_stays_on_port_500_gets_plain_esp() {
    let customer = Customer::new(1);
    let mut fleet = fleet_for(&customer);
    fleet.nat = Some([192, 0, 2, 99].into());
    let mut initiator = Initiator::new(customer.clone(), 1);
    let init = initiator.start();
    let answer = fleet.deliver(&init).remove(0);
    let auth = initiator.handle_datagram(&answer.payload).unwrap();
    fleet.deliver(&Transmit {
        path: customer.path,
        payload: auth.payload[4..].to_vec(),
    });
    assert!(!child(&fleet).udp_encap);
    assert_eq!(child(&fleet).path.local.port(), 500);
}

/// Port 4500 alone does not call for UDP encapsulation.
#[test]
fn without_a_nat_esp_is_not_encapsulated() {
    let mut customer = Customer::new(1);
    customer.path.local.set_port(4500);
    customer.path.peer.set_port(4500);
    let (fleet, initiator) = connected(customer);
    assert_eq!(initiator.path().peer.port(), 4500);
    assert!(!child(&fleet).udp_encap);
}

#[test]
fn a_nat_in_front_of_the_edge_is_detected_too() {
    // The customer reaches the edge by another address than the edge sees.
    let mut customer = Customer::new(1);
    let tunnel = customer.tunnel();
    customer.path.peer.set_ip([192, 0, 2, 200].into());
    let mut fleet = TestFleet::new(5);
    fleet.responder.handle_tunnel(fleet.now, tunnel);
    let mut initiator = Initiator::new(customer, 1);
    let through_nat = |mut sent: Transmit| {
        sent.path.peer.set_ip([203, 0, 113, 1].into());
        sent
    };
    let init = initiator.start();
    let answer = fleet.deliver(&through_nat(init)).remove(0);
    let auth = initiator.handle_datagram(&answer.payload).unwrap();
    assert_eq!(auth.path.peer.port(), 4500);
    fleet.converse(&mut initiator, Some(through_nat(auth)));
    assert_eq!(initiator.status(), Status::Up);
    assert!(child(&fleet).udp_encap);
}

#[test]
fn a_new_mapping_of_the_nat_is_followed() {
    let customer = Customer::new(1);
    let mut fleet = fleet_for(&customer);
    fleet.nat = Some([192, 0, 2, 99].into());
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    let before = last_ike(&fleet).path.peer;

    fleet.nat = Some([192, 0, 2, 100].into());
    let probe = initiator.probe().unwrap();
    let answer = fleet.deliver(&probe).remove(0);
    let after = answer.path.peer;
    assert_eq!(after, SocketAddr::from(([192, 0, 2, 100], 14500)));
    assert_eq!(fleet.last_event(), Some(&What::PeerMoved { from: before }));

    // A replay from elsewhere gets its answer there, and moves nothing.
    fleet.nat = Some([192, 0, 2, 101].into());
    assert_eq!(fleet.deliver(&probe).len(), 1);
    let (_, ours) = fleet.wait(std::time::Duration::from_secs(30)).remove(0);
    assert_eq!(ours.path.peer, after);
}

/// Without a NAT nobody should have another address; a reply goes back all the same, but the SA stays where it was.
#[test]
fn without_a_nat_the_peer_does_not_move() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    fleet.nat = Some([192, 0, 2, 99].into());
    let probe = initiator.probe().unwrap();
    assert_eq!(
        fleet.deliver(&probe)[0].path.peer,
        SocketAddr::from(([192, 0, 2, 99], 10500))
    );
    fleet.nat = None;
    let (_, ours) = fleet.wait(std::time::Duration::from_secs(30)).remove(0);
    assert_eq!(ours.path.peer, Customer::new(1).path.local);
}
