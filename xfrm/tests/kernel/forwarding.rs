//! Packets go through, and where they should.

use xfrm::{Change, UdpEncap};

use crate::world::{
    INBOUND_SPI, OUTBOUND_SPI, TUNNEL, World, address, counters, ip, open_agent, plain_child, plain_tunnel,
};

#[test]
fn both_families_pass_through_an_ipv4_tunnel() {
    World::run("four", |world| {
        let peer = world.add_peer(1);
        peer.face(&plain_child());
        let failures = open_agent().apply(vec![
            Change::PutTunnel(TUNNEL, plain_tunnel()),
            Change::PutChild(plain_child()),
        ]);
        assert_eq!(failures, []);
        assert_eq!(peer.ping("10.1.0.1", 3), 3);
        assert_eq!(peer.ping("fd00:1::1", 3), 3);
        assert_eq!(counters(INBOUND_SPI).map(|sa| sa.packets), Some(6));
        assert_eq!(counters(OUTBOUND_SPI).map(|sa| sa.packets), Some(6));
    });
}

#[test]
fn both_families_pass_through_an_ipv6_tunnel() {
    World::run("six", |world| {
        let peer = world.add_peer(1);
        let mut child = plain_child();
        child.local = address("2001:db8:1::1");
        child.peer = address("2001:db8:1::2");
        peer.face(&child);
        let failures = open_agent().apply(vec![
            Change::PutTunnel(TUNNEL, plain_tunnel()),
            Change::PutChild(child),
        ]);
        assert_eq!(failures, []);
        assert_eq!(peer.ping("10.1.0.1", 3), 3);
        assert_eq!(peer.ping("fd00:1::1", 3), 3);
    });
}

#[test]
fn nothing_passes_outside_the_selectors() {
    World::run("outside", |world| {
        let peer = world.add_peer(1);
        peer.face(&plain_child());
        ip("address add 10.1.0.2/32 dev lo");
        let mut child = plain_child();
        child.selectors.truncate(1);
        child.selectors[0].local = "10.1.0.1/32".parse().expect("a prefix");
        open_agent().apply(vec![
            Change::PutTunnel(TUNNEL, plain_tunnel()),
            Change::PutChild(child),
        ]);
        assert_eq!(peer.ping("10.1.0.1", 3), 3);
        assert_eq!(peer.ping("10.1.0.2", 3), 0);
    });
}

#[test]
fn a_new_port_of_the_peers_translator_leaves_the_sequence_alone() {
    World::run("port", |world| {
        world.add_peer(1);
        let mut agent = open_agent();
        let mut child = plain_child();
        child.encap = Some(UdpEncap {
            local_port: 4500,
            peer_port: 1024,
        });
        assert_eq!(
            agent.apply(vec![
                Change::PutTunnel(TUNNEL, plain_tunnel()),
                Change::PutChild(child.clone())
            ]),
            []
        );
        ip(&format!("-n {} route get 10.2.0.1", world.edge()));
        let before = ip(&format!("xfrm state list spi {OUTBOUND_SPI:#x}"));
        assert!(
            before.contains("encap type espinudp sport 4500 dport 1024"),
            "{before}"
        );

        child.encap = Some(UdpEncap {
            local_port: 4500,
            peer_port: 2048,
        });
        assert_eq!(agent.apply(vec![Change::PutChild(child)]), []);
        let after = ip(&format!("xfrm state list spi {OUTBOUND_SPI:#x}"));
        assert!(
            after.contains("encap type espinudp sport 4500 dport 2048"),
            "{after}"
        );
        let report = agent.reconcile();
        assert_eq!((report.added, report.updated, report.removed), (0, 0, 0));
    });
}
