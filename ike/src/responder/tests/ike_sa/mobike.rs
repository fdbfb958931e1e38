//! A customer that changes its address (MOBIKE, RFC 4555).

use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::crypto::nat_detection_hash;
use crate::negotiation::mobike::no_nats_allowed;
use crate::wire::{ExchangeType, Notify};
use crate::{ChildUpdate, Ending};

fn notify(kind: NotifyType, data: &[u8]) -> Payload<'_> {
    Payload::Notify(Notify::new(kind, data))
}

const AWAY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 77)), 500);

/// An INFORMATIONAL request that comes from elsewhere.
fn from_away(initiator: &mut Initiator, payloads: &[Payload<'_>]) -> Transmit {
    let mut sent = initiator
        .protected_request(ExchangeType::Informational, payloads)
        .unwrap();
    sent.path.local = AWAY;
    sent
}

/// Where the fleet was told to send child SAs' packets, and whether in UDP.
fn announced(fleet: &TestFleet) -> Vec<(SocketAddr, bool)> {
    let moves = changes(fleet).filter_map(|change| match change {
        Change::UpdateChild {
            update: ChildUpdate::Path { path, udp_encap },
            ..
        } => Some((path.peer, *udp_encap)),
        _ => None,
    });
    moves.collect()
}

/// The customer's answer to what the edge asked it, sent from where it is now.
fn answer_from_away(fleet: &mut TestFleet, initiator: &mut Initiator, asked: &Transmit) -> Vec<Transmit> {
    assert_eq!(asked.path.peer, AWAY, "asked elsewhere");
    let mut answer = initiator.handle_datagram(&asked.payload).expect("an answer");
    answer.path.local = AWAY;
    fleet.deliver(&answer)
}

#[test]
fn the_whole_fleet_follows_once_the_customer_answers_at_its_new_address() {
    let (mut fleet, mut initiator, answered) = mobile(Customer::new(1));
    let supported = notification(NotifyType::MOBIKE_SUPPORTED, &[]);
    assert_eq!(answered.last(), Some(supported));
    let before = last_ike(&fleet).path.peer;

    let update = from_away(&mut initiator, &[notify(NotifyType::UPDATE_SA_ADDRESSES, &[])]);
    let sent = fleet.deliver(&update);
    let [reply, check] = &sent[..] else {
        panic!("{} datagrams, not the reply and a check", sent.len());
    };
    assert_eq!(reply.path.peer, AWAY);
    assert_eq!(read(&initiator, reply), [] as [Payload<'_>; 0]);
    assert!(happened(&fleet).contains(&&What::PeerMoved { from: before }));
    assert_eq!(last_ike(&fleet).path.peer, AWAY, "the next owner looks elsewhere");
    // Only the customer itself can say so, and only there.
    assert_eq!(announced(&fleet), []);
    answer_from_away(&mut fleet, &mut initiator, check);
    assert_eq!(announced(&fleet), [(AWAY, false)]);
}

/// Whoever takes the IKE SA over in between finishes it.
#[test]
fn another_edge_goes_on_with_the_check() {
    let (mut fleet, mut initiator, _) = mobile(Customer::new(1));
    let update = from_away(&mut initiator, &[notify(NotifyType::UPDATE_SA_ADDRESSES, &[])]);
    fleet.deliver(&update);
    let mut other = TestFleet::new(6);
    let snapshot = &last_ike(&fleet).snapshot;
    other.responder.handle_restore(other.now, snapshot).unwrap();
    // It asks first for answers of any kind, to know which message ID comes next.
    let mut asked = other.drain();
    while let Some(it) = asked.pop() {
        asked = answer_from_away(&mut other, &mut initiator, &it);
    }
    assert_eq!(announced(&other), [(AWAY, false)]);
}

/// "If the values do not match, the IKE_SA MUST be closed" (section 3.7).
#[test]
fn a_customer_that_does_not_see_what_is_sent_to_it_is_cut_off() {
    let (mut fleet, mut initiator, _) = mobile(Customer::new(1));
    let update = from_away(&mut initiator, &[notify(NotifyType::UPDATE_SA_ADDRESSES, &[])]);
    let check = fleet.deliver(&update).remove(1);
    // It guesses that there is a check, and answers without having read it.
    let guess = initiator.blind_answer(&check, &[]).unwrap();
    fleet.deliver(&guess);
    assert_eq!(announced(&fleet), []);
    assert!(happened(&fleet).contains(&&What::Ended(Ending::WrongCookie2)));
    assert!(changes(&fleet).any(|change| matches!(change, Change::RemoveIke(_))));
}

/// "Receiving the INFORMATIONAL response does not tell which address is the working one" (section 3.7).
#[test]
fn a_customer_that_moves_on_is_checked_again() {
    let (mut fleet, mut initiator, _) = mobile(Customer::new(1));
    let update = from_away(&mut initiator, &[notify(NotifyType::UPDATE_SA_ADDRESSES, &[])]);
    let first_check = fleet.deliver(&update).remove(1);
    let mut update = from_away(&mut initiator, &[notify(NotifyType::UPDATE_SA_ADDRESSES, &[])]);
    update.path.local.set_port(501);
    assert_eq!(fleet.deliver(&update).len(), 1);
    let second_check = answer_from_away(&mut fleet, &mut initiator, &first_check).remove(0);
    assert_eq!(announced(&fleet), []);
    assert_eq!(second_check.path.peer.port(), 501);
    let answer = initiator.handle_datagram(&second_check.payload).unwrap();
    fleet.deliver(&answer);
    assert_eq!(announced(&fleet), [(update.path.local, false)]);
}

/// "If NAT Traversal is supported and NAT detection payloads were included, enables or disables NAT Traversal" (section
/// 3.5), and the response has such payloads too.
#[test]
fn a_customer_that_comes_behind_a_nat_gets_its_packets_in_udp() {
    let (mut fleet, mut initiator, _) = mobile(Customer::new(1));
    let spis = initiator.spis().unwrap();
    let path = initiator.path();
    let own = nat_detection_hash(spis, "10.0.0.1:4500".parse().unwrap());
    let edge = SocketAddr::new(path.peer.ip(), 4500);
    let ours = nat_detection_hash(spis, edge);
    let payloads = [
        notify(NotifyType::UPDATE_SA_ADDRESSES, &[]),
        notify(NotifyType::NAT_DETECTION_SOURCE_IP, &own),
        notify(NotifyType::NAT_DETECTION_DESTINATION_IP, &ours),
    ];
    initiator.move_to_port_4500();
    let update = from_away(&mut initiator, &payloads);
    let sent = fleet.deliver(&update);
    let destination = nat_detection_hash(spis, AWAY);
    assert_eq!(
        read(&initiator, &sent[0]),
        [
            notify(NotifyType::NAT_DETECTION_SOURCE_IP, &ours),
            notify(NotifyType::NAT_DETECTION_DESTINATION_IP, &destination),
        ]
    );
    answer_from_away(&mut fleet, &mut initiator, &sent[1]);
    assert_eq!(announced(&fleet), [(AWAY, true)]);
}

/// "An INFORMATIONAL exchange that does not contain UPDATE_SA_ADDRESSES does not cause any changes" (section 3.8).
#[test]
fn testing_a_path_changes_nothing() {
    let (mut fleet, mut initiator, _) = mobile(Customer::new(1));
    let home = last_ike(&fleet).path.peer;
    let cookie2 = notify(NotifyType::COOKIE2, &[9; 8]);
    let additional = notify(NotifyType::ADDITIONAL_IP4_ADDRESS, &[192, 0, 2, 5]);
    let test = from_away(&mut initiator, &[cookie2.clone(), additional]);
    let reply = fleet.deliver(&test).remove(0);
    assert_eq!(reply.path.peer, AWAY);
    assert_eq!(read(&initiator, &reply), [cookie2]);
    let (_, probe) = fleet.wait(Duration::from_secs(30)).remove(0);
    assert_eq!(probe.path.peer, home);
    assert_eq!(fleet.commits.len(), 1);
}

/// Section 3.9.
#[test]
fn who_forbids_nats_is_told_of_one() {
    let (mut fleet, mut initiator, _) = mobile(Customer::new(1));
    let edge = initiator.path().peer;
    let elsewhere = SocketAddr::from(([192, 0, 2, 78], 500));
    for (source, is_right) in [(elsewhere, false), (AWAY, true)] {
        let addresses = no_nats_allowed(source, edge);
        let payloads = [
            notify(NotifyType::UPDATE_SA_ADDRESSES, &[]),
            notify(NotifyType::NO_NATS_ALLOWED, &addresses),
        ];
        let update = from_away(&mut initiator, &payloads);
        let sent = fleet.deliver(&update);
        assert_eq!(sent.len() == 2, is_right, "a check follows an update");
        let refusal = notify(NotifyType::UNEXPECTED_NAT_DETECTED, &[]);
        assert_eq!(read(&initiator, &sent[0]).contains(&refusal), !is_right);
    }
}

/// Section 3.9, for "the first IKE_AUTH request".
#[test]
fn who_forbids_nats_is_told_of_one_in_ike_auth() {
    let customer = Customer::new(1);
    let path = customer.path;
    let elsewhere = SocketAddr::from(([192, 0, 2, 78], 500));
    for (source, is_right) in [(elsewhere, false), (path.local, true)] {
        let addresses: &'static [u8] = no_nats_allowed(source, path.peer).leak();
        let mut fleet = fleet_for(&customer);
        let mut initiator = Initiator::new(customer.clone(), 1);
        fleet.begin(&mut initiator);
        let auth = initiator.auth_with(|payloads| {
            payloads.push(notify(NotifyType::MOBIKE_SUPPORTED, &[]));
            payloads.push(notify(NotifyType::NO_NATS_ALLOWED, addresses));
        });
        fleet.converse(&mut initiator, auth);
        let refused = Status::Refused(NotifyType::UNEXPECTED_NAT_DETECTED.0);
        let expected = if is_right { Status::Up } else { refused };
        assert_eq!(initiator.status(), expected);
        assert_eq!(fleet.commits.len(), usize::from(is_right));
    }
}

/// Who has not said that it speaks MOBIKE cannot move by it.
#[test]
fn without_mobike_supported_nothing_moves() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let update = from_away(&mut initiator, &[notify(NotifyType::UPDATE_SA_ADDRESSES, &[])]);
    assert_eq!(fleet.deliver(&update).len(), 1);
    assert_eq!(fleet.commits.len(), 1);
}
