//! Any plan, carried out step by step by a model of the kernel that is as strict as the real one, ends at what is desired.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::objects::diff::{Action, diff};
use crate::objects::{Link, LinkId};

/// Refuses what the kernel would refuse.
fn carry_out(state: &mut State, action: Action) {
    match action {
        Action::CreateLink(id, link) => {
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
        Action::MoveLink(id, link) => {
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
        Action::RaiseLink(id, link) | Action::SetLink(id, link) => {
            let there = state.links.get_mut(&id).expect("the interface is there");
            assert_eq!(there.name, link.name);
            *there = link;
        }
        Action::RemoveLink(id) => {
            state.links.remove(&id).expect("the interface is there");
            state.routes.retain(|route| route.link != id);
        }
        Action::AddRoute(route) => {
            assert!(
                state.links.get(&route.link).is_some_and(|link| link.up),
                "a route needs an interface"
            );
            state.routes.insert(route);
        }
        Action::RemoveRoute(route) => assert!(state.routes.remove(&route)),
        Action::AddSa(id, sa) => assert!(state.sas.insert(id, sa).is_none()),
        Action::UpdateSa(id, sa) => {
            let there = state.sas.get_mut(&id).expect("the SA is there");
            assert!(there.cipher == sa.cipher && there.source == sa.source && there.added == sa.added);
            *there = sa;
        }
        Action::RemoveSa(id) => assert!(state.sas.remove(&id).is_some()),
        Action::PutPolicy(id, policy) => {
            let spi = policy.template.map_or(0, |template| template.spi);
            assert!(
                spi == 0 || state.sas.keys().any(|sa| sa.spi == spi),
                "a policy needs its SA"
            );
            state.policies.insert(id, policy);
        }
        Action::RemovePolicy(id) => assert!(state.policies.remove(&id).is_some()),
    }
}

fn claim_name(state: &State, id: &LinkId, link: &Link) {
    let taken = state
        .links
        .iter()
        .any(|(other, there)| other.netns == id.netns && there.name == link.name);
    assert!(!taken, "a name can be had once");
}

/// Some tunnels and children, out of so few that two draws share many.
fn states() -> impl Strategy<Value = State> {
    let tunnels = vec((0..3_u16, 0..2_usize, 0..3_usize, 1..3_u32), 0..4);
    let children = vec((0..3_u16, 0..4_u32, 1..3_u8, 0..3_u64, any::<bool>()), 0..5);
    (tunnels, children).prop_map(|(tunnels, children)| {
        let mut desired = Desired::default();
        for (number, netns, route, mtu) in tunnels {
            let id = TunnelId(number);
            if desired.state.links.keys().any(|link| link.tunnel == id) {
                continue;
            }
            let netns = [None, Some("blue".to_owned())][netns].clone();
            let routes = vec![prefix(["10.2.0.0/16", "10.3.0.0/16", "fd00::/16"][route])];
            let interface = format!("ipsec{}", (u32::from(number) + mtu) % 4);
            let name_taken = desired
                .state
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
        let mut claims = Claims::default();
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
            let taken = desired.state.sas.keys().any(|id| id.spi == child.inbound_spi);
            if !taken {
                claims.add(&child);
                desired.add_children(&tunnel(), [&child], &claims, &Default::default(), at(NOW));
            }
        }
        desired.state
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
