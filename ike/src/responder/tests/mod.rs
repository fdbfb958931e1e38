//! The responder against the testkit's customers, on virtual time.

mod handshake;

use crate::testkit::{Customer, Initiator, Status, TestFleet};
use crate::{Change, ChildSa, IkeSa};

/// An edge that knows the customer's tunnel.
fn fleet_for(customer: &Customer) -> TestFleet {
    let mut fleet = TestFleet::new(5);
    fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
    fleet
}

/// A customer connected to an edge.
fn connected(customer: Customer) -> (TestFleet, Initiator) {
    let mut fleet = fleet_for(&customer);
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    assert_eq!(initiator.status(), Status::Up, "{:?}", fleet.events);
    (fleet, initiator)
}

/// The IKE SAs put into the fleet, oldest first.
fn ikes(fleet: &TestFleet) -> Vec<&IkeSa> {
    let changes = fleet.commits.iter().flat_map(|commit| &commit.changes);
    changes
        .filter_map(|change| {
            if let Change::PutIke(ike) = change {
                Some(ike)
            } else {
                None
            }
        })
        .collect()
}

/// The one child SA put into the fleet.
fn child(fleet: &TestFleet) -> &ChildSa {
    let changes = fleet.commits.iter().flat_map(|commit| &commit.changes);
    let children = changes.filter_map(|change| {
        if let Change::PutChild(child) = change {
            Some(child)
        } else {
            None
        }
    });
    match children.collect::<Vec<_>>()[..] {
        [child] => child,
        ref children => panic!("{} child SAs", children.len()),
    }
}
