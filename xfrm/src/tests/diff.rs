//! Which steps lead from what is there to what ought to be there, and in which order.

use super::*;
use crate::UdpEncap;
use crate::objects::sa::{Ports, SaId};
use crate::objects::{Action, diff, link, policy, route, sa};

/// The steps in short.
fn steps(desired: &Objects, found: &Objects) -> Vec<String> {
    let short = |action: &Action| match action {
        Action::Link(link::Action::Create(_, link)) => format!("create {}", link.name),
        Action::Link(link::Action::Move(id, link)) => {
            format!("move {} to {}", link.name, id.netns.as_deref().unwrap_or("home"))
        }
        Action::Link(link::Action::Raise(_, link)) => format!("raise {}", link.name),
        Action::Link(link::Action::Set(_, link)) => format!("set {}", link.name),
        Action::Link(link::Action::Remove(id)) => format!("remove link {}", id.tunnel.0),
        Action::Route(route::Action::Add(route)) => format!("add route {}", route.prefix),
        Action::Route(route::Action::Remove(route)) => format!("remove route {}", route.prefix),
        Action::Sa(sa::Action::Add(id, _)) => format!("add sa {:x}", id.spi),
        Action::Sa(sa::Action::Update(id, _)) => format!("update sa {:x}", id.spi),
        Action::Sa(sa::Action::Remove(id)) => format!("remove sa {:x}", id.spi),
        Action::Policy(policy::Action::Put(id, _)) => format!("put {:?}", id.direction),
        Action::Policy(policy::Action::Remove(id)) => format!("remove {:?}", id.direction),
    };
    diff(desired, found)
        .steps
        .iter()
        .map(|step| short(&step.action))
        .collect()
}

#[test]
fn what_is_as_it_should_be_is_left_alone() {
    let wanted = objects(&tunnel(), &[child()]);
    let plan = diff(&wanted, &wanted);
    assert!(plan.steps.is_empty());
    assert_eq!(plan.kept, 1 + 1 + 2 + 3);
}

#[test]
fn nothing_is_used_before_it_is_there() {
    let tunnel = Tunnel {
        netns: Some("blue".into()),
        ..tunnel()
    };
    assert_eq!(
        steps(&objects(&tunnel, &[child()]), &Objects::default()),
        [
            "create ipsec0",
            "move ipsec0 to blue",
            "raise ipsec0",
            "add route 10.2.0.0/16",
            "add sa 400001",
            "add sa c0ffee01",
            "put In",
            "put Forward",
            "put Out"
        ]
    );
}

#[test]
fn nothing_is_gone_while_it_is_used() {
    assert_eq!(
        steps(&Objects::default(), &objects(&tunnel(), &[child()])),
        [
            "remove In",
            "remove Forward",
            "remove Out",
            "remove sa 400001",
            "remove sa c0ffee01",
            "remove link 7"
        ]
    );
}

#[test]
fn a_replacement_sends_before_the_replaced_child_goes() {
    let new = Child {
        inbound_spi: 0x0040_0002,
        outbound_spi: 0xc0ff_ee02,
        precedence: 2,
        ..child()
    };
    assert_eq!(
        steps(&objects(&tunnel(), &[new]), &objects(&tunnel(), &[child()])),
        [
            "add sa 400002",
            "add sa c0ffee02",
            "put Out",
            "remove sa 400001",
            "remove sa c0ffee01"
        ]
    );
}

#[test]
fn another_key_takes_another_sa() {
    let found = objects(
        &tunnel(),
        &[Child {
            outbound: cipher(9),
            ..child()
        }],
    );
    assert_eq!(
        steps(&objects(&tunnel(), &[child()]), &found),
        ["remove sa c0ffee01", "add sa c0ffee01"]
    );
}

#[test]
fn an_sa_of_another_form_is_made_anew() {
    let mut found = objects(&tunnel(), &[child()]);
    found.sas.get_mut(&SaId::inbound(&child())).unwrap().cipher = None;
    assert_eq!(
        steps(&objects(&tunnel(), &[child()]), &found),
        ["remove sa 400001", "add sa 400001"]
    );
}

#[test]
fn limits_and_ports_change_in_place_and_count_from_when_the_sa_was_added() {
    let encap = |peer_port| Child {
        encap: Some(UdpEncap {
            local_port: 4500,
            peer_port,
        }),
        ..child()
    };
    let mut found = objects(&tunnel(), &[encap(1)]);
    for sa in found.sas.values_mut() {
        sa.added = 77;
    }
    for changed in [
        encap(2),
        Child {
            expires: at(NOW + 1000),
            ..encap(1)
        },
        Child {
            packet_limit: None,
            expires: at(NOW + 1000),
            ..encap(1)
        },
    ] {
        let plan = diff(&objects(&tunnel(), std::slice::from_ref(&changed)), &found);
        assert_eq!(plan.steps.len(), 2, "{changed:?}");
        for step in &plan.steps {
            let Action::Sa(sa::Action::Update(id, sa)) = &step.action else {
                panic!("not in place: {changed:?}")
            };
            assert_eq!(sa.added, 77);
            if id.spi == changed.outbound_spi {
                assert_eq!(sa.packet_limit, changed.packet_limit);
                let destination = changed.encap.unwrap().peer_port;
                assert_eq!(
                    sa.encap,
                    Some(Ports {
                        source: 4500,
                        destination
                    })
                );
            }
        }
    }
}

#[test]
fn encapsulation_cannot_come_in_place() {
    let wanted = Child {
        encap: Some(UdpEncap {
            local_port: 4500,
            peer_port: 1,
        }),
        ..child()
    };
    let steps = steps(&objects(&tunnel(), &[wanted]), &objects(&tunnel(), &[child()]));
    assert_eq!(
        steps,
        [
            "remove sa 400001",
            "add sa 400001",
            "remove sa c0ffee01",
            "add sa c0ffee01"
        ]
    );
}

#[test]
fn a_few_seconds_of_life_do_not_matter() {
    for (seconds, updates) in [(595, 0), (594, 2), (605, 0), (606, 2)] {
        let found = objects(
            &tunnel(),
            &[Child {
                expires: at(NOW + seconds),
                ..child()
            }],
        );
        assert_eq!(
            diff(&objects(&tunnel(), &[child()]), &found).steps.len(),
            updates,
            "{seconds}"
        );
    }
}

#[test]
fn an_sa_that_never_ends_gets_an_end() {
    let mut found = objects(&tunnel(), &[child()]);
    found.sas.get_mut(&SaId::inbound(&child())).unwrap().expires = None;
    assert_eq!(
        steps(&objects(&tunnel(), &[child()]), &found),
        ["update sa 400001"]
    );
}

#[test]
fn an_interface_in_the_way_goes_first() {
    let found = objects(&tunnel(), &[]);
    let renamed = Tunnel {
        interface: "ipsec1".into(),
        ..tunnel()
    };
    assert_eq!(
        steps(&objects(&renamed, &[]), &found),
        ["remove link 7", "create ipsec1", "add route 10.2.0.0/16"]
    );
    // The name passes from one tunnel to another.
    let mut other = Desired::default();
    other.add_tunnel(TunnelId(8), &tunnel());
    assert_eq!(
        steps(&other.objects, &found),
        ["remove link 7", "create ipsec0", "add route 10.2.0.0/16"]
    );
}

#[test]
fn a_prefix_passes_from_one_tunnel_to_another() {
    let two = |first: &str, second: &str| {
        let mut both = Desired::default();
        both.add_tunnel(
            TUNNEL,
            &Tunnel {
                routes: vec![prefix(first)],
                rekey_bytes: None,
                ..tunnel()
            },
        );
        let second = Tunnel {
            interface: "ipsec1".into(),
            routes: vec![prefix(second)],
            rekey_bytes: None,
            ..tunnel()
        };
        both.add_tunnel(TunnelId(8), &second);
        both.objects
    };
    assert_eq!(
        steps(
            &two("10.3.0.0/16", "10.2.0.0/16"),
            &two("10.2.0.0/16", "10.3.0.0/16")
        ),
        [
            "remove route 10.2.0.0/16",
            "remove route 10.3.0.0/16",
            "add route 10.3.0.0/16",
            "add route 10.2.0.0/16"
        ]
    );
}

#[test]
fn an_interface_that_is_down_has_lost_its_routes() {
    let wanted = objects(&tunnel(), &[]);
    let mut found = wanted.clone();
    for link in found.links.values_mut() {
        link.up = false;
    }
    found.routes.clear();
    assert_eq!(steps(&wanted, &found), ["set ipsec0", "add route 10.2.0.0/16"]);
}
