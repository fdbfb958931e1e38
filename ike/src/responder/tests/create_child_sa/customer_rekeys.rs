//! Rekeys by the testkit's customer: both sides have the same SAs afterwards.

use super::*;
use crate::{ChildUpdate, DhGroup, IkeSpis};

/// The child SA that was put last.
fn last_child(fleet: &TestFleet) -> &ChildSa {
    let children = changes(fleet).filter_map(|change| match change {
        Change::PutChild(child) => Some(&**child),
        _ => None,
    });
    children.last().expect("a child SA was put")
}

fn is_put(fleet: &TestFleet, spis: IkeSpis) -> bool {
    changes(fleet).any(|change| matches!(change, Change::PutIke(ike) if ike.spis == spis))
}

#[test]
fn a_child_sa_is_replaced_on_both_sides() {
    for group in [None, Some(DhGroup::Curve25519)] {
        let (mut fleet, mut customer) = connected(Customer::new(1));
        let old = last_child(&fleet).inbound_spi;
        let sent = customer.rekey_child(group);
        assert!(!customer.is_idle());
        fleet.converse(&mut customer, sent);

        assert!(customer.is_idle(), "{:?}", customer.status());
        let (theirs, ours) = (customer.child().unwrap(), last_child(&fleet));
        assert_ne!(ours.inbound_spi, old);
        assert_eq!(theirs.outbound_spi, ours.inbound_spi);
        assert_eq!(theirs.inbound_spi, ours.outbound_spi);
        assert_eq!(theirs.outbound_key, ours.inbound_key, "{group:?}");
        assert_eq!(theirs.inbound_key, ours.outbound_key, "{group:?}");
        let is_activated = |change: &Change| {
            matches!(change, Change::UpdateChild { inbound_spi, update: ChildUpdate::Activate }
                if *inbound_spi == ours.inbound_spi)
        };
        assert!(changes(&fleet).any(is_activated), "the old one is not deleted");
    }
}

#[test]
fn an_ike_sa_is_replaced_on_both_sides() {
    let (mut fleet, mut customer) = connected(Customer::new(1));
    let old = customer.spis().unwrap();
    let sent = customer.rekey_ike();
    fleet.converse(&mut customer, sent);

    let new = customer.spis().unwrap();
    assert_ne!(new, old);
    assert!(is_put(&fleet, new));
    assert_eq!(customer.child().unwrap().ike, new);
    assert!(changes(&fleet).any(|change| matches!(change, Change::RemoveIke(spis) if *spis == old)));
    // It goes on under the new keys, and can be replaced again.
    let sent = customer.rekey_child(None);
    fleet.converse(&mut customer, sent);
    let sent = customer.rekey_ike();
    fleet.converse(&mut customer, sent);
    assert!(is_put(&fleet, customer.spis().unwrap()));
    assert_ne!(customer.spis().unwrap(), new);
}
