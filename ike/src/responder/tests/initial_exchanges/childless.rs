//! IKE SAs that begin without a child SA (RFC 6023).

use super::*;
use crate::responder::tests::create_child_sa::create_child::{SPI, children, esp, send, wish};
use crate::responder::tests::takeover::restore::taken_over;
use crate::{CommitOutcome, NoChild};

fn is_about_child(payload: &Payload<'_>) -> bool {
    matches!(payload, Payload::Sa(_) | Payload::TsI(_) | Payload::TsR(_))
}

/// A customer that has asked for no child SA, and what it was answered.
fn childless() -> (TestFleet, Initiator, Answer) {
    let customer = Customer::new(1);
    let mut fleet = fleet_for(&customer);
    let mut initiator = Initiator::new(customer, 1);
    fleet.begin(&mut initiator);
    let auth = initiator.auth_with(|payloads| payloads.retain(|payload| !is_about_child(payload)));
    let reply = fleet.deliver(&auth.unwrap()).remove(0);
    let answer = read(&initiator, &reply);
    initiator.handle_datagram(&reply.payload);
    (fleet, initiator, answer)
}

/// Section 3: "a supporting responder MUST include the Notify payload, described in Section 4"; there: protocol ID 1.
#[test]
fn the_fleet_says_that_it_can_do_without() {
    let customer = Customer::new(1);
    let mut fleet = fleet_for(&customer);
    let init = Initiator::new(customer, 1).start();
    let response = fleet.deliver(&init).remove(0);
    let header = Header::decode(&response.payload).unwrap();
    let message = Message::decode_body(header, &response.payload).unwrap();
    let support = Notify::about_ike(NotifyType::CHILDLESS_IKEV2_SUPPORTED, &[]);
    assert!(message.payloads.contains(&Payload::Notify(support)));
}

#[test]
fn who_asks_for_no_child_sa_gets_an_ike_sa_alone() {
    let (fleet, initiator, answer) = childless();
    assert_eq!(answer.len(), 3, "IDr, AUTH and a token were expected: {answer:?}");
    assert_eq!(initiator.status(), Status::Up);
    assert!(matches!(fleet.commits[0].changes[..], [Change::PutIke(_)]));
    let established = What::Established {
        remote_id: Customer::new(1).id,
        child: Err(NoChild::NotWanted),
    };
    assert_eq!(fleet.last_event(), Some(&established));
}

#[test]
fn the_child_sa_comes_later_and_waits_for_the_fleet() {
    let (mut fleet, mut initiator, _) = childless();
    fleet.prompt = false;
    let request = send(&mut initiator, &wish(vec![esp(1, &[])]));
    assert_eq!(fleet.deliver(&request), [], "an answer before the fleet knows");
    let commit = fleet.commits.last().unwrap().id;
    assert_eq!(fleet.finish(commit, CommitOutcome::Done).len(), 1);
    let [child] = children(&fleet)[..] else {
        panic!("{:?}", fleet.commits);
    };
    assert_eq!(child.outbound_spi, u32::from_be_bytes(SPI));
    assert!(!child.standby, "there is nothing to wait for");
}

#[test]
fn another_edge_takes_it_over_and_makes_the_child_sa() {
    let (fleet, mut initiator, _) = childless();
    let mut other = taken_over(&fleet, 6);
    let tunnel = Customer::new(1).tunnel();
    other.responder.handle_tunnel(other.now, tunnel);
    let request = send(&mut initiator, &wish(vec![esp(1, &[])]));
    assert_eq!(other.deliver(&request).len(), 1, "{:?}", other.events);
    assert_eq!(children(&other).len(), 1);
}

#[test]
fn it_is_rekeyed_like_any_other() {
    let (mut fleet, mut initiator, _) = childless();
    let (spi, public) = (
        [7; 8],
        crate::responder::tests::create_child_sa::rekey_ike::public_value(),
    );
    let request = send(
        &mut initiator,
        &crate::responder::tests::create_child_sa::rekey_ike::wish(&spi, 31, &public),
    );
    assert_eq!(fleet.deliver(&request).len(), 1, "{:?}", fleet.events);
    let [Change::PutIke(replacement), Change::PutIke(old)] = &fleet.commits.last().unwrap().changes[..]
    else {
        panic!("{:?}", fleet.commits.last());
    };
    assert_eq!(replacement.spis.initiator.to_be_bytes(), spi);
    assert_eq!(Some(old.spis), initiator.spis());
}

#[test]
fn its_peer_is_asked_whether_it_lives() {
    let (mut fleet, mut initiator, _) = childless();
    let probe = fleet.wait(Duration::from_secs(30)).remove(0).1;
    let answer = initiator.handle_datagram(&probe.payload).unwrap();
    assert_eq!(fleet.deliver(&answer), []);

    fleet.wait(Duration::from_secs(300));
    let removal = &fleet.commits.last().unwrap().changes[..];
    assert!(matches!(*removal, [Change::RemoveIke(_)]), "a dead peer stays");
    assert_nothing_left(&fleet);
}

/// What is left of a wish is none.
#[test]
fn selectors_without_proposals_are_malformed() {
    let customer = Customer::new(1);
    let mut fleet = fleet_for(&customer);
    let mut initiator = Initiator::new(customer, 1);
    fleet.begin(&mut initiator);
    let auth = initiator.auth_with(|payloads| payloads.retain(|it| !matches!(it, Payload::Sa(_))));
    let answer = answer_to(&mut fleet, &initiator, &auth.unwrap());
    assert_eq!(answer, [notification(NotifyType::INVALID_SYNTAX, &[])]);
}
