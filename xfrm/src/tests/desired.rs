//! What children ask for.

use std::collections::BTreeSet;

use super::*;
use crate::Subject;
use crate::objects::policy::{Direction, PolicyId};
use crate::objects::sa::{Sa, SaId};

fn out_policy(selector: Selector) -> PolicyId {
    PolicyId {
        tunnel: TUNNEL,
        direction: Direction::Out,
        selector,
    }
}

#[test]
fn the_child_of_higher_precedence_sends_and_both_receive() {
    let old = child();
    let new = Child {
        inbound_spi: 0x0040_0000,
        outbound_spi: 0xc0ff_ee02,
        precedence: 2,
        ..child()
    };
    for children in [[old.clone(), new.clone()], [new.clone(), old.clone()]] {
        let state = objects(&tunnel(), &children);
        assert_eq!(state.sas.len(), 4);
        assert_eq!(state.policies.len(), 3);
        let policy = &state.policies[&out_policy(old.selectors[0])];
        assert_eq!(policy.owner, Subject::Child(new.inbound_spi));
        assert_eq!(policy.template.unwrap().spi, new.outbound_spi);
    }
}

#[test]
fn inbound_policies_take_any_spi() {
    let state = objects(&tunnel(), &[child()]);
    for direction in [Direction::In, Direction::Forward] {
        let id = PolicyId {
            direction,
            ..out_policy(child().selectors[0])
        };
        let template = state.policies[&id].template.unwrap();
        assert_eq!(
            (template.source, template.destination, template.spi),
            (child().peer, child().local, 0)
        );
    }
}

#[test]
fn a_child_whose_lifetime_has_passed_asks_for_nothing() {
    let state = objects(
        &tunnel(),
        &[Child {
            expires: at(NOW),
            ..child()
        }],
    );
    assert!(state.sas.is_empty() && state.policies.is_empty());
    assert_eq!(state.links.len(), 1);
}

#[test]
fn only_the_outbound_sa_has_limits_of_what_it_sends() {
    let tunnel = Tunnel {
        rekey_bytes: Some(1 << 30),
        ..tunnel()
    };
    let state = objects(&tunnel, &[child()]);
    let limits = |id| {
        let sa: &Sa = &state.sas[&id];
        (sa.packet_limit, sa.soft_packet_limit, sa.soft_byte_limit)
    };
    assert_eq!(limits(SaId::inbound(&child())), (None, None, None));
    let (packets, soft_packets, soft_bytes) = limits(SaId::outbound(&child()));
    assert_eq!((packets, soft_packets), (Some(1000), Some(750)));
    // One 256th of an eighth below, by the SPI's last octet.
    assert_eq!(soft_bytes, Some((1 << 30) - (1 << 19)));
}

#[test]
fn soft_limits_are_spread_over_an_eighth() {
    let tunnel = Tunnel {
        rekey_bytes: Some(8 << 20),
        ..tunnel()
    };
    let soft = |inbound_spi| {
        let child = Child {
            inbound_spi,
            ..child()
        };
        let state = objects(&tunnel, std::slice::from_ref(&child));
        state.sas[&SaId::outbound(&child)].soft_byte_limit.unwrap()
    };
    let limits: BTreeSet<u64> = (0x0040_0100..0x0040_0200).map(soft).collect();
    assert_eq!(limits.len(), 256);
    assert!(limits.iter().all(|limit| (7 << 20..=8 << 20).contains(limit)));
}

#[test]
fn an_outbound_sa_that_does_not_send_yet_cannot_be_taken_by_it_either() {
    let standby = Child {
        inbound_spi: 1,
        precedence: 0,
        created: at(NOW),
        ..child()
    };
    let state = desired(&tunnel(), &[standby, child()]).objects;
    assert_eq!(
        state.sas[&SaId::outbound(&child())].owner,
        Subject::Child(child().inbound_spi)
    );
}

#[test]
fn an_outbound_spi_belongs_to_the_older_child() {
    let newer = Child {
        inbound_spi: 1,
        outbound: cipher(9),
        // However much its owner wants it to send.
        precedence: 2,
        created: at(NOW),
        ..child()
    };
    let desired = desired(&tunnel(), &[newer.clone(), child()]);
    assert_eq!(
        desired.objects.sas[&SaId::outbound(&child())].owner,
        Subject::Child(child().inbound_spi)
    );
    let [failure] = desired.failures.as_slice() else {
        panic!("{:?}", desired.failures)
    };
    assert_eq!(failure.subject, Subject::Child(newer.inbound_spi));
    // It can still be heard.
    assert!(desired.objects.sas.contains_key(&SaId::inbound(&newer)));
}

#[test]
fn an_exhausted_child_only_receives() {
    let mut holders = OutboundHolders::default();
    holders.add(&child());
    let mut desired = Desired::default();
    desired.add_children(
        &tunnel(),
        &[child()],
        &holders,
        &BTreeSet::from([child().inbound_spi]),
        at(NOW),
    );
    assert_eq!(
        desired.objects.sas.keys().collect::<Vec<_>>(),
        [&SaId::inbound(&child())]
    );
    assert_eq!(desired.failures.len(), 1);
}

#[test]
fn a_selector_of_two_families_is_refused_alone() {
    let mixed = selector("10.1.0.0/16", "fd00:2::/32");
    let desired = desired(
        &tunnel(),
        &[Child {
            selectors: vec![mixed, child().selectors[0]],
            ..child()
        }],
    );
    assert_eq!(desired.failures.len(), 1);
    assert_eq!(desired.objects.policies.len(), 3);
}

#[test]
fn the_narrower_selector_goes_first() {
    let wide = selector("10.1.0.0/16", "10.2.0.0/16");
    let narrow = selector("10.1.0.0/16", "10.2.0.0/24");
    let service = Selector {
        protocol: 6,
        local_ports: PortMask::one(443),
        ..wide
    };
    let services = Selector {
        local_ports: PortMask::new(0, 0xfc00),
        ..service
    };
    let state = objects(
        &tunnel(),
        &[Child {
            selectors: vec![wide, narrow, service, services],
            ..child()
        }],
    );
    let priority = |selector| state.policies[&out_policy(selector)].priority;
    assert!(priority(narrow) < priority(service));
    assert!(priority(service) < priority(services));
    assert!(priority(services) < priority(wide));
}

#[test]
fn bits_behind_the_prefix_do_not_count() {
    let sloppy = Tunnel {
        routes: vec![prefix("10.2.3.4/16")],
        rekey_bytes: None,
        ..tunnel()
    };
    let children = [Child {
        selectors: vec![selector("10.1.9.9/16", "10.2.3.4/16")],
        ..child()
    }];
    let state = objects(&sloppy, &children);
    assert_eq!(state.routes.first().unwrap().prefix, prefix("10.2.0.0/16"));
    assert!(state.policies.contains_key(&out_policy(child().selectors[0])));
}
