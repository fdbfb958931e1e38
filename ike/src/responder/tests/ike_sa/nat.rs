//! NAT detection, and what follows from it (RFC 7296 section 2.23).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::*;
use crate::{ChildUpdate, CommitOutcome};

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

/// A customer behind a NAT that is connected, and where the edge sees it.
fn behind_nat() -> (TestFleet, Initiator, SocketAddr) {
    let customer = Customer::new(1);
    let mut fleet = fleet_for(&customer);
    fleet.nat = Some([192, 0, 2, 99].into());
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    assert_eq!(initiator.status(), Status::Up, "{:?}", fleet.events);
    let peer = last_ike(&fleet).path.peer;
    (fleet, initiator, peer)
}

/// Where the fleet was told to send the packets of child SAs, oldest first.
fn announced(fleet: &TestFleet) -> Vec<(u32, SocketAddr)> {
    let moves = changes(fleet).filter_map(|change| match change {
        Change::UpdateChild {
            inbound_spi,
            update: ChildUpdate::Path {
                path,
                udp_encap: true,
            },
        } => Some((*inbound_spi, path.peer)),
        _ => None,
    });
    moves.collect()
}

#[test]
fn a_new_mapping_of_the_nat_is_followed_by_the_whole_fleet() {
    let (mut fleet, mut initiator, before) = behind_nat();
    let spi = child(&fleet).inbound_spi;

    fleet.nat = Some([192, 0, 2, 100].into());
    let probe = initiator.probe().unwrap();
    let answer = fleet.deliver(&probe).remove(0);
    let after = answer.path.peer;
    assert_eq!(after, SocketAddr::from(([192, 0, 2, 100], 14500)));
    assert_eq!(fleet.last_event(), Some(&What::PeerMoved { from: before }));
    assert_eq!(announced(&fleet), [(spi, after)]);
    assert_eq!(
        last_ike(&fleet).path.peer,
        after,
        "the next owner looks elsewhere"
    );

    // A replay from elsewhere gets its answer there, and moves nothing.
    fleet.nat = Some([192, 0, 2, 101].into());
    assert_eq!(fleet.deliver(&probe).len(), 1);
    let (_, ours) = fleet.wait(Duration::from_secs(30)).remove(0);
    assert_eq!(ours.path.peer, after);
    assert_eq!(announced(&fleet).len(), 1);
}

/// It refuses a commit as a whole: for the sake of another child SA, perhaps, that was revoked just now.
#[test]
fn a_move_that_the_fleet_has_refused_is_told_again() {
    let (mut fleet, mut initiator, before) = behind_nat();
    fleet.prompt = false;
    fleet.nat = Some([192, 0, 2, 100].into());
    let probe = initiator.probe().unwrap();
    fleet.deliver(&probe);
    let id = fleet.commits.last().unwrap().id;
    fleet.finish(id, CommitOutcome::Refused);
    let after = SocketAddr::from(([192, 0, 2, 100], 14500));
    assert_ne!(after, before);
    let told = |fleet: &TestFleet| -> Vec<_> { announced(fleet).iter().map(|it| it.1).collect() };
    assert_eq!(told(&fleet), [after]);

    fleet.prompt = true;
    fleet.wait(Duration::from_secs(1));
    assert_eq!(told(&fleet), [after, after]);
    fleet.wait(Duration::from_secs(10));
    assert_eq!(told(&fleet).len(), 2, "the fleet knows");
}

/// Each move is a change in every kernel.
#[test]
fn a_peer_that_jumps_about_does_not_keep_the_fleet_busy() {
    let (mut fleet, mut initiator, _) = behind_nat();
    for number in 0..100 {
        fleet.nat = Some([192, 0, 2, number].into());
        let probe = initiator.probe().unwrap();
        assert_eq!(fleet.deliver(&probe).len(), 1);
    }
    assert_eq!(announced(&fleet).len(), 1);
    fleet.wait(Duration::from_secs(1));
    let last = SocketAddr::from(([192, 0, 2, 99], 14500));
    assert_eq!(
        announced(&fleet)[1..].iter().map(|it| it.1).collect::<Vec<_>>(),
        [last]
    );
}

/// What waits for the fleet is not overtaken.
#[test]
fn a_move_waits_for_the_commit_under_way() {
    let (mut fleet, mut initiator, _) = behind_nat();
    fleet.prompt = false;
    fleet.nat = Some([192, 0, 2, 100].into());
    let delete = initiator.delete_child().unwrap();
    fleet.deliver(&delete);
    let next = initiator.probe().unwrap();
    fleet.deliver(&next);
    let [_, commit] = &fleet.commits[..] else {
        panic!("{:?}", fleet.commits);
    };
    let id = commit.id;
    fleet.finish(id, crate::CommitOutcome::Done);
    assert_eq!(fleet.commits.len(), 3);
    assert_eq!(last_ike(&fleet).path.peer.ip(), IpAddr::from([192, 0, 2, 100]));
}

/// A kernel knows that the packet is authentic, but not that it is new.
#[test]
fn a_kernels_word_is_checked_with_the_peer() {
    let (mut fleet, mut initiator, before) = behind_nat();
    let spi = child(&fleet).inbound_spi;
    let elsewhere = SocketAddr::from(([192, 0, 2, 100], 14500));
    let tell = |fleet: &mut TestFleet| {
        fleet.responder.handle_child_moved(fleet.now, spi, elsewhere);
        fleet.drain()
    };
    let asked: Vec<SocketAddr> = tell(&mut fleet).iter().map(|sent| sent.path.peer).collect();
    assert_eq!(asked, [before, elsewhere]);
    // Told again, it asks again, but nothing else.
    let again = tell(&mut fleet);
    assert_eq!(
        again.iter().map(|sent| sent.path.peer).collect::<Vec<_>>(),
        [elsewhere]
    );
    assert_eq!(announced(&fleet), []);

    fleet.nat = Some(elsewhere.ip());
    let answer = initiator.handle_datagram(&again[0].payload).unwrap();
    fleet.deliver(&answer);
    assert_eq!(announced(&fleet), [(spi, elsewhere)]);
    assert_eq!(tell(&mut fleet), [], "it is there already");
}

#[test]
fn a_packet_that_somebody_has_recorded_moves_nobody() {
    let (mut fleet, mut initiator, before) = behind_nat();
    let spi = child(&fleet).inbound_spi;
    let attacker = SocketAddr::from(([192, 0, 2, 66], 666));
    fleet.responder.handle_child_moved(fleet.now, spi, attacker);
    let asked = fleet.drain();
    // The attacker can do nothing with the question; the customer answers it.
    let answer = initiator.handle_datagram(&asked[0].payload).unwrap();
    fleet.deliver(&answer);
    assert_eq!(announced(&fleet), []);
    let (_, ours) = fleet.wait(Duration::from_secs(30)).remove(0);
    assert_eq!(ours.path.peer, before);
}

#[test]
fn a_peer_without_nat_is_not_asked_elsewhere() {
    let (mut fleet, _) = connected(Customer::new(1));
    let spi = child(&fleet).inbound_spi;
    let elsewhere = SocketAddr::from(([192, 0, 2, 100], 14500));
    fleet.responder.handle_child_moved(fleet.now, spi, elsewhere);
    fleet.responder.handle_child_moved(fleet.now, 7, elsewhere);
    assert_eq!(fleet.drain(), []);
}

/// "A one-octet-long payload with the value 0xFF" says nothing that we need to know (RFC 3948 section 2.3).
#[test]
fn keep_alives_are_nothing_to_talk_about() {
    let (mut fleet, initiator, _) = behind_nat();
    let before = fleet.events.len();
    let keep_alive = Transmit {
        path: initiator.path(),
        payload: vec![0xff],
    };
    assert_eq!(fleet.deliver(&keep_alive), []);
    assert_eq!(fleet.events.len(), before);
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
    let (_, ours) = fleet.wait(Duration::from_secs(30)).remove(0);
    assert_eq!(ours.path.peer, Customer::new(1).path.local);
}
