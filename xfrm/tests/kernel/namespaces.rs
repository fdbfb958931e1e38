//! Customers in network namespaces of their own.

use xfrm::{Change, Child, Report, Tunnel, TunnelId};

use crate::world::{
    OUTBOUND_SPI, Peer, TUNNEL, World, address, cipher, counters, ip, open_agent, plain_child, plain_tunnel,
    wanted,
};

/// Customer `number` with the same inner prefixes as any other, in a namespace of its own.
fn customer(world: &mut World, number: u8) -> (TunnelId, Tunnel, Child, Peer) {
    let netns = world.add_netns(&format!("vrf{number}"));
    ip(&format!("-n {netns} address add 10.1.0.1/32 dev lo"));
    let peer = world.add_peer(number);
    let id = TunnelId(number.into());
    let child = Child {
        tunnel: id,
        inbound_spi: 0x0040_0000 + u32::from(number),
        local: address(&format!("198.18.{number}.1")),
        peer: address(&format!("198.18.{number}.2")),
        inbound: cipher(number),
        outbound: cipher(100 + number),
        ..plain_child()
    };
    peer.face(&child);
    (
        id,
        Tunnel {
            netns: Some(netns),
            ..plain_tunnel()
        },
        child,
        peer,
    )
}

#[test]
fn customers_may_have_the_same_prefixes() {
    World::run("overlap", |world| {
        let (one, first, first_child, first_peer) = customer(world, 1);
        let (two, second, second_child, second_peer) = customer(world, 2);
        let netns = [&first, &second].map(|tunnel| tunnel.netns.clone().expect("a namespace"));
        let wanted = wanted([(one, first), (two, second)], [first_child, second_child]);
        let mut agent = open_agent();
        assert_eq!(agent.adopt(wanted.clone()).failures, []);
        assert_eq!(first_peer.ping("10.1.0.1", 3), 3);
        assert_eq!(second_peer.ping("10.1.0.1", 4), 4);
        for (netns, packets) in netns.iter().zip([3, 4]) {
            let received = ip(&format!(
                "netns exec {netns} cat /sys/class/net/ipsec0/statistics/rx_packets"
            ));
            assert_eq!(received.trim(), packets.to_string());
        }
        // SAs stay with the edge.
        assert!(counters(OUTBOUND_SPI).is_some());
        assert_eq!(ip("link show type xfrm"), "");

        let objects = 2 * (1 + 2 + 2 + 6);
        assert_eq!(
            open_agent().adopt(wanted),
            Report {
                adopted: objects,
                ..Report::default()
            }
        );

        ip(&format!("-n {} link delete ipsec0", netns[0]));
        assert_eq!(agent.reconcile().added, 3);
        assert_eq!(first_peer.ping("10.1.0.1", 3), 3);
    });
}

#[test]
fn a_tunnel_moves_to_another_namespace_and_home() {
    World::run("move", |world| {
        let (id, tunnel, child, peer) = customer(world, 1);
        let mut agent = open_agent();
        agent.apply(vec![
            Change::PutTunnel(id, tunnel.clone()),
            Change::PutChild(child),
        ]);
        let other = world.add_netns("other");
        ip(&format!("-n {other} address add 10.1.0.1/32 dev lo"));
        assert_eq!(
            agent.apply(vec![Change::PutTunnel(
                id,
                Tunnel {
                    netns: Some(other),
                    ..tunnel.clone()
                }
            )]),
            []
        );
        assert_eq!(peer.ping("10.1.0.1", 3), 3);
        assert_eq!(
            agent.apply(vec![Change::PutTunnel(
                id,
                Tunnel {
                    netns: None,
                    ..tunnel
                }
            )]),
            []
        );
        assert_eq!(peer.ping("10.1.0.1", 3), 3);
        let report = agent.reconcile();
        assert_eq!((report.added, report.updated, report.removed), (0, 0, 0));
    });
}

#[test]
fn an_unwanted_interface_in_a_namespace_goes_but_not_another_edges_interface() {
    World::run("foreign", |world| {
        let (id, tunnel, child, _) = customer(world, 1);
        let netns = tunnel.netns.clone().expect("a namespace");
        // An interface with our mark that another edge of this machine made, as its SAs are elsewhere.
        let other = world.add_netns("edge2");
        let if_id = TUNNEL.if_id();
        ip(&format!(
            "-n {other} link add foreign index {if_id} type xfrm if_id {if_id}"
        ));
        ip(&format!("-n {other} link set foreign netns {netns}"));

        open_agent().adopt(wanted([(id, tunnel)], [child]));
        assert_eq!(
            ip(&format!("-n {netns} -br link show type xfrm")).lines().count(),
            2
        );
        open_agent().adopt(wanted([], []));
        let left = ip(&format!("-n {netns} -br link show type xfrm"));
        assert_eq!(left.lines().count(), 1, "{left}");
        assert!(left.contains("foreign"), "{left}");
    });
}

#[test]
fn a_missing_namespace_fails_its_tunnel_alone() {
    World::run("missing", |world| {
        let (one, there, there_child, peer) = customer(world, 1);
        let (two, missing, missing_child, missing_peer) = customer(world, 2);
        let netns = missing.netns.clone().expect("a namespace");
        ip(&format!("netns delete {netns}"));
        let mut agent = open_agent();
        let failures = agent.apply(vec![
            Change::PutTunnel(one, there),
            Change::PutTunnel(two, missing),
            Change::PutChild(there_child),
            Change::PutChild(missing_child),
        ]);
        let [failure] = failures.as_slice() else {
            panic!("{failures:?}")
        };
        assert_eq!(failure.subject, xfrm::Subject::Tunnel(two));
        assert_eq!(
            failure.text,
            format!(
                "cannot create the xfrm interface ipsec0 in network namespace {netns}: No such file or directory \
                 (os error 2); create it with `ip netns add {netns}`"
            )
        );
        assert_eq!(peer.ping("10.1.0.1", 3), 3);
        assert_eq!(agent.reconcile().failures, failures);

        ip(&format!("netns add {netns}"));
        ip(&format!("-n {netns} link set lo up"));
        ip(&format!("-n {netns} address add 10.1.0.1/32 dev lo"));
        let report = agent.reconcile();
        assert_eq!((report.added, report.failures.as_slice()), (3, [].as_slice()));
        assert_eq!(missing_peer.ping("10.1.0.1", 3), 3);
        assert_eq!(agent.failures().count(), 0);
    });
}

#[test]
fn a_namespace_without_any_route_is_as_good() {
    World::run("bare", |world| {
        let netns = Some(world.add_netns("bare"));
        let tunnel = Tunnel {
            netns,
            routes: Vec::new(),
            ..plain_tunnel()
        };
        let mut agent = open_agent();
        let report = agent.adopt(wanted([(TUNNEL, tunnel)], []));
        assert_eq!(
            report,
            Report {
                added: 1,
                ..Report::default()
            }
        );
        assert_eq!(
            agent.reconcile(),
            Report {
                adopted: 1,
                ..Report::default()
            }
        );
    });
}
