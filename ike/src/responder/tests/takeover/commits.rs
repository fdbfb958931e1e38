//! The reply to IKE_AUTH waits for the fleet.

use std::time::Duration;

use super::*;
use crate::{AuthRefusal, CommitId, CommitOutcome};

#[test]
fn the_reply_leaves_when_the_fleet_is_ready() {
    let (mut fleet, mut initiator, auth) = committing(Customer::new(1));
    let commit = fleet.commits[0].id;
    assert!(matches!(
        fleet.commits[0].changes[..],
        [Change::PutIke(_), Change::PutChild(_)]
    ));
    // Neither time nor impatience lets it out.
    fleet.wait(Duration::from_secs(5));
    assert_eq!(fleet.deliver(&auth), []);
    assert_eq!(fleet.finish(CommitId(commit.0 + 1), CommitOutcome::Done), []);
    assert_eq!(happened(&fleet), [] as [&What; 0]);

    let reply = fleet.finish(commit, CommitOutcome::Done).remove(0);
    initiator.handle_datagram(&reply.payload);
    assert_eq!(initiator.status(), Status::Up);
    assert!(matches!(fleet.last_event(), Some(What::Established { .. })));
    // Once is enough.
    assert_eq!(fleet.finish(commit, CommitOutcome::Done), []);
    assert_eq!(fleet.deliver(&auth), [reply]);
}

#[test]
fn a_refused_commit_ends_the_exchange() {
    let (mut fleet, mut initiator, auth) = committing(Customer::new(1));
    let error = fleet
        .finish(fleet.commits[0].id, CommitOutcome::Refused)
        .remove(0);
    initiator.handle_datagram(&error.payload);
    assert_eq!(
        initiator.status(),
        Status::Refused(NotifyType::AUTHENTICATION_FAILED.0)
    );
    assert_eq!(fleet.last_event(), Some(&What::AuthRefused(AuthRefusal::Fleet)));
    assert_eq!(fleet.deliver(&auth), [error]);
    fleet.wait(Duration::from_secs(60));
    assert_eq!(fleet.deliver(&auth), []);
    assert_eq!(fleet.commits.len(), 1);
}

#[test]
fn a_commit_that_is_never_answered_ends_with_the_half_open_lifetime() {
    let (mut fleet, _, auth) = committing(Customer::new(1));
    fleet.wait(Duration::from_secs(30));
    assert_eq!(fleet.last_event(), Some(&What::Expired));
    assert_eq!(fleet.deliver(&auth), []);
}

/// The fleet has installed what nobody will use: it has to go again.
#[test]
fn a_commit_that_is_answered_too_late_is_undone() {
    let (mut fleet, initiator, _) = committing(Customer::new(1));
    fleet.wait(Duration::from_secs(30));
    assert_eq!(fleet.finish(fleet.commits[0].id, CommitOutcome::Done), []);
    let [_, undo] = &fleet.commits[..] else {
        panic!("nothing undone");
    };
    assert!(matches!(undo.changes[..], [Change::RemoveIke(spis)] if Some(spis) == initiator.spis()));
    // A late refusal leaves nothing to undo.
    let (mut fleet, ..) = committing(Customer::new(1));
    fleet.wait(Duration::from_secs(30));
    fleet.finish(fleet.commits[0].id, CommitOutcome::Refused);
    assert_eq!(fleet.commits.len(), 1);
}

#[test]
fn an_ike_sa_that_is_revoked_before_its_birth_is_refused() {
    let (mut fleet, mut initiator, _) = committing(Customer::new(1));
    let (spis, commit) = (fleet.commits[0].ike, fleet.commits[0].id);
    fleet.responder.handle_ike_removed(fleet.now, spis);
    let error = fleet.drain().remove(0);
    initiator.handle_datagram(&error.payload);
    assert_eq!(
        initiator.status(),
        Status::Refused(NotifyType::AUTHENTICATION_FAILED.0)
    );
    assert_eq!(fleet.finish(commit, CommitOutcome::Done), []);
    assert_eq!(fleet.commits.len(), 1);
}

#[test]
fn a_child_sa_that_is_revoked_before_its_birth_is_deleted_after_it() {
    let (mut fleet, mut initiator, _) = committing(Customer::new(1));
    let spi = child(&fleet).inbound_spi;
    fleet.responder.handle_child_removed(fleet.now, spi);
    assert_eq!(fleet.drain(), []);
    let [reply, delete] = &fleet.finish(fleet.commits[0].id, CommitOutcome::Done)[..] else {
        panic!("not a reply and a DELETE");
    };
    initiator.handle_datagram(&reply.payload);
    assert!(initiator.child().is_some());
    initiator.handle_datagram(&delete.payload);
    assert!(initiator.child().is_none());
    assert_eq!(initiator.status(), Status::Up);
}

#[test]
fn two_customers_do_not_wait_for_each_other() {
    let mut fleet = TestFleet::new(5);
    fleet.prompt = false;
    let mut initiators = [1, 2].map(|number| {
        let customer = Customer::new(number);
        fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
        Initiator::new(customer, number.into())
    });
    for initiator in &mut initiators {
        fleet.connect(initiator);
    }
    let second = fleet.commits[1].id;
    let reply = fleet.finish(second, CommitOutcome::Done).remove(0);
    initiators[1].handle_datagram(&reply.payload);
    assert_eq!(
        initiators.map(|initiator| initiator.status()),
        [Status::Connecting, Status::Up]
    );
}
