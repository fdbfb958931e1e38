//! Any plan, carried out step by step by a model of the kernel that is as strict as the real one, ends at what is desired.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::objects::link::{Link, LinkId};
use crate::objects::{Action, diff, link, policy, route, sa};

/// Refuses what the kernel would refuse.
fn carry_out(state: &mut Objects, action: Action) {
    match action {
        Action::Link(link::Action::Create(id, link)) => {
            assert!(
                state.links.keys().all(|other| other.tunnel != id.tunnel),
                "an if_id can be had once"
            );
            let at_home = LinkId { netns: None, ..id };
            let created = match id.netns {
                None => Link { up: true, ..link },
                Some(_) => Link {
                    name: format!("on its way {}", id.tunnel.0),
                    up: false,
                    ..link
                },
            };
            claim_name(state, &at_home, &created);
            state.links.insert(at_home, created);
        }
        Action::Link(link::Action::Move(id, link)) => {
            let link = Link { up: false, ..link };
            state
                .links
                .remove(&LinkId {
                    netns: None,
                    ..id.clone()
                })
                .expect("it was created at home");
            claim_name(state, &id, &link);
            state.links.insert(id, link);
        }
        Action::Link(link::Action::Raise(id, link)) | Action::Link(link::Action::Set(id, link)) => {
            let there = state.links.get_mut(&id).expect("the interface is there");
            assert_eq!(there.name, link.name);
            *there = link;
        }
        Action::Link(link::Action::Remove(id)) => {
            state.links.remove(&id).expect("the interface is there");
            state.routes.retain(|route| route.link != id);
        }
        Action::Route(route::Action::Add(route)) => {
            assert!(
                state.links.get(&route.link).is_some_and(|link| link.up),
                "a route needs an interface"
            );
            state.routes.insert(route);
        }
        Action::Route(route::Action::Remove(route)) => assert!(state.routes.remove(&route)),
        Action::Sa(sa::Action::Add(id, sa)) => assert!(state.sas.insert(id, sa).is_none()),
        Action::Sa(sa::Action::Update(id, sa)) => {
            let there = state.sas.get_mut(&id).expect("the SA is there");
            assert!(there.cipher == sa.cipher && there.source == sa.source && there.added == sa.added);
            *there = sa;
        }
        Action::Sa(sa::Action::Remove(id)) => assert!(state.sas.remove(&id).is_some()),
        Action::Policy(policy::Action::Put(id, policy)) => {
            let spi = policy.template.map_or(0, |template| template.spi);
            assert!(
                spi == 0 || state.sas.keys().any(|sa| sa.spi == spi),
                "a policy needs its SA"
            );
            state.policies.insert(id, policy);
        }
        Action::Policy(policy::Action::Remove(id)) => assert!(state.policies.remove(&id).is_some()),
    }
}

fn claim_name(state: &Objects, id: &LinkId, link: &Link) {
    let taken = state
        .links
        .iter()
        .any(|(other, there)| other.netns == id.netns && there.name == link.name);
    assert!(!taken, "a name can be had once");
}

/// Some tunnels and children, out of so few that two draws share many.
fn states() -> impl Strategy<Value = Objects> {
    let tunnels = vec((0..3_u16, 0..2_usize, 0..3_usize, 1..3_u32), 0..4);
    let children = vec((0..3_u16, 0..4_u32, 1..3_u8, 0..3_u64, any::<bool>()), 0..5);
    (tunnels, children).prop_map(|(tunnels, children)| {
        let mut desired = Desired::default();
        for (number, netns, route, mtu) in tunnels {
            let id = TunnelId(number);
            if desired.objects.links.keys().any(|link| link.tunnel == id) {
                continue;
            }
            let netns = [None, Some("blue".to_owned())][netns].clone();
            let routes = vec![prefix(["10.2.0.0/16", "10.3.0.0/16", "fd00::/16"][route])];
            let interface = format!("ipsec{}", (u32::from(number) + mtu) % 4);
            let name_taken = desired
                .objects
                .links
                .iter()
                .any(|(link, there)| link.netns == netns && there.name == interface);
            if !name_taken {
                desired.add_tunnel(
                    id,
                    &Tunnel {
                        interface,
                        netns,
                        mtu: Some(mtu * 100),
                        routes,
                        rekey_bytes: None,
                    },
                );
            }
        }
        let mut holders = OutboundHolders::default();
        for (number, spi, key, minutes, encap) in children {
            let child = Child {
                tunnel: TunnelId(number),
                inbound_spi: 0x0040_0000 + spi,
                outbound_spi: 0xc000_0000 + spi,
                outbound: cipher(key),
                expires: at(NOW + 600 + 60 * minutes),
                encap: encap.then_some(crate::UdpEncap {
                    local_port: 4500,
                    peer_port: key.into(),
                }),
                ..child()
            };
            let taken = desired.objects.sas.keys().any(|id| id.spi == child.inbound_spi);
            if !taken {
                holders.add(&child);
                desired.add_children(&tunnel(), [&child], &holders, &Default::default(), at(NOW));
            }
        }
        desired.objects
    })
}

proptest! {
    #[test]
    fn every_plan_leads_to_what_is_desired(desired in states(), mut found in states()) {
        for step in diff(&desired, &found).steps {
            carry_out(&mut found, step.action);
        }
        let rest = diff(&desired, &found);
        prop_assert!(rest.steps.is_empty());
        let objects = desired.links.len() + desired.routes.len() + desired.sas.len() + desired.policies.len();
        prop_assert_eq!(rest.kept, objects);
    }
}
