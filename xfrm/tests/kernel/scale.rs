//! Many at once.

use std::time::Instant;

use xfrm::{Change, Child, Report};

use crate::world::{TUNNEL, World, ip, open_agent, plain_child, plain_tunnel, selector, wanted};

const CHILDREN: u32 = 1000;

fn children() -> Vec<Child> {
    let child_number = |number: u32| {
        let [high, low] = (number as u16).to_be_bytes();
        Child {
            inbound_spi: 0x0040_0000 + number,
            outbound_spi: 0x8000_0000 + number,
            selectors: vec![selector("10.1.0.0/16", &format!("10.2.{high}.{low}/32"))],
            ..plain_child()
        }
    };
    (0..CHILDREN).map(child_number).collect()
}

fn count(table: &str) -> usize {
    ip(table).lines().filter(|line| line.starts_with("src")).count()
}

#[test]
fn thousands_of_sas_and_policies_come_and_go() {
    World::run("scale", |_| {
        let mut agent = open_agent();
        let start = Instant::now();
        let mut changes = vec![Change::PutTunnel(TUNNEL, plain_tunnel())];
        changes.extend(children().into_iter().map(Change::PutChild));
        assert_eq!(agent.apply(changes), []);
        println!(
            "{} SAs and {} policies in {:?}",
            2 * CHILDREN,
            3 * CHILDREN,
            start.elapsed()
        );
        assert_eq!((count("xfrm state"), count("xfrm policy")), (2000, 3000));

        let start = Instant::now();
        let report = agent.reconcile();
        println!("compared in {:?}", start.elapsed());
        assert_eq!(
            report,
            Report {
                adopted: 3 + 5000,
                ..Report::default()
            }
        );

        ip("xfrm state flush");
        assert_eq!(agent.reconcile().added, 2000);

        let start = Instant::now();
        let removals = children()
            .iter()
            .map(|child| Change::RemoveChild(child.inbound_spi))
            .collect();
        assert_eq!(agent.apply(removals), []);
        println!("removed in {:?}", start.elapsed());
        assert_eq!((count("xfrm state"), count("xfrm policy")), (0, 0));
    });
}

#[test]
fn two_hundred_tunnels_start_at_once() {
    World::run("many", |_| {
        let tunnels = (1..=200_u16).map(|number| {
            let [_, low] = number.to_be_bytes();
            let routes = vec![format!("10.7.{low}.0/24").parse().expect("a prefix")];
            (
                xfrm::TunnelId(number),
                xfrm::Tunnel {
                    interface: format!("t{number}"),
                    routes,
                    ..plain_tunnel()
                },
            )
        });
        let mut agent = open_agent();
        assert_eq!(
            agent.adopt(wanted(tunnels, [])),
            Report {
                added: 400,
                ..Report::default()
            }
        );
        assert_eq!(
            agent.adopt(wanted([], [])),
            Report {
                removed: 200,
                ..Report::default()
            }
        );
    });
}
