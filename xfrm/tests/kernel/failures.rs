//! What the kernel refuses is told in words, and what it does not refuse is done all the same.

use xfrm::{Algorithm, Change, Child, Cipher, Subject, TunnelId};

use crate::world::{
    INBOUND_SPI, OUTBOUND_SPI, TUNNEL, World, agent_with, cipher, in_seconds, ip, open_agent, plain_child,
    plain_tunnel, prefix, wanted,
};

#[test]
fn an_unknown_algorithm_fails_its_child_alone() {
    World::run("unknown", |world| {
        let peer = world.add_peer(1);
        peer.face(&plain_child());
        let unknown = Cipher::Aead {
            algorithm: Algorithm::new("rfc4106(gcm(no))", &[1; 20]),
            icv_bits: 128,
        };
        let bad = Child {
            inbound_spi: 0x0040_0002,
            outbound_spi: 0x1234,
            outbound: unknown,
            selectors: Vec::new(),
            ..plain_child()
        };
        let mut agent = open_agent();
        let failures = agent.apply(vec![
            Change::PutTunnel(TUNNEL, plain_tunnel()),
            Change::PutChild(bad.clone()),
            Change::PutChild(plain_child()),
        ]);
        let [failure] = failures.as_slice() else {
            panic!("{failures:?}")
        };
        assert_eq!(failure.subject, Subject::Child(bad.inbound_spi));
        assert_eq!(
            failure.text,
            "cannot add the SA 0x00001234 towards 198.18.1.2 with rfc4106(gcm(no)): Function not implemented \
             (os error 38): Requested AEAD algorithm not found; load the kernel modules that provide rfc4106(gcm(no)) \
             (is the name right?)"
        );
        assert_eq!(peer.ping("10.1.0.1", 3), 3);
        assert!(agent.failures().eq(&failures));
        assert_eq!(agent.apply(vec![Change::RemoveChild(bad.inbound_spi)]), []);
        assert_eq!(agent.failures().count(), 0);
    });
}

#[test]
fn a_key_of_the_wrong_length_is_told_without_the_key() {
    World::run("length", |world| {
        world.add_peer(1);
        let short = Cipher::Aead {
            algorithm: Algorithm::new("rfc4106(gcm(aes))", &[0xab; 7]),
            icv_bits: 128,
        };
        let failures = open_agent().apply(vec![
            Change::PutTunnel(TUNNEL, plain_tunnel()),
            Change::PutChild(Child {
                inbound: short,
                ..plain_child()
            }),
        ]);
        let [failure] = failures.as_slice() else {
            panic!("{failures:?}")
        };
        assert!(failure.text.contains("Invalid argument"), "{failure:?}");
        assert!(!format!("{failure:?}").contains("abab"), "{failure:?}");
    });
}

#[test]
fn an_interface_name_that_is_taken() {
    World::run("name", |_| {
        ip("link add ipsec0 type dummy");
        let mut agent = open_agent();
        let failures = agent.apply(vec![Change::PutTunnel(TUNNEL, plain_tunnel())]);
        let [failure] = failures.as_slice() else {
            panic!("{failures:?}")
        };
        assert!(
            failure
                .text
                .starts_with("cannot create the xfrm interface ipsec0"),
            "{}",
            failure.text
        );
        assert!(
            failure
                .text
                .ends_with("another interface has the name or the index; remove or rename it")
        );
        ip("link delete ipsec0");
        assert_eq!(agent.reconcile().failures, []);
    });
}

#[test]
fn two_tunnels_with_one_prefix_in_one_namespace() {
    World::run("prefix", |_| {
        let mut second = plain_tunnel();
        second.interface = "ipsec1".into();
        second.routes.push(prefix("10.9.0.0/16"));
        let failures = open_agent()
            .adopt(wanted([(TUNNEL, plain_tunnel()), (TunnelId(8), second)], []))
            .failures;
        let [failure] = failures.as_slice() else {
            panic!("{failures:?}")
        };
        assert_eq!(failure.subject, Subject::Tunnel(TunnelId(8)));
        assert!(
            failure
                .text
                .ends_with("give overlapping customers a namespace each"),
            "{}",
            failure.text
        );
        assert!(ip("route show proto 87").contains("10.9.0.0/16 dev ipsec1"));
    });
}

#[test]
fn a_neighbour_who_takes_the_same_spi_harms_nobody() {
    World::run("claim", |world| {
        let peer = world.add_peer(1);
        peer.face(&plain_child());
        let mut agent = agent_with(plain_child());
        let mut other = plain_tunnel();
        other.interface = "ipsec1".into();
        other.routes.clear();
        let second = Child {
            tunnel: TunnelId(8),
            inbound_spi: 0x0040_0002,
            outbound: cipher(9),
            precedence: 2,
            ..plain_child()
        };
        let failures = agent.apply(vec![
            Change::PutTunnel(TunnelId(8), other),
            Change::PutChild(second.clone()),
        ]);
        let [failure] = failures.as_slice() else {
            panic!("{failures:?}")
        };
        assert_eq!(failure.subject, Subject::Child(second.inbound_spi));
        assert!(
            failure.text.contains("belongs to child SA 0x00400001"),
            "{}",
            failure.text
        );
        assert_eq!(peer.ping("10.1.0.1", 2), 2);
        assert_eq!(agent.reconcile().failures, failures);
        let longer = Child {
            expires: in_seconds(3600),
            ..second.clone()
        };
        agent.apply(vec![Change::PutChild(longer)]);
        assert_eq!(peer.ping("10.1.0.1", 2), 2);
        assert_eq!(agent.apply(vec![Change::RemoveChild(second.inbound_spi)]), []);
        assert_eq!(peer.ping("10.1.0.1", 2), 2);

        // When the holder goes, the SPI is free for the other.
        agent.apply(vec![Change::PutChild(second), Change::RemoveChild(INBOUND_SPI)]);
        assert_eq!(agent.reconcile().failures, []);
        assert!(ip(&format!("xfrm state list spi {OUTBOUND_SPI:#x}")).contains("reqid 1398210568"));
    });
}

#[test]
fn an_sa_of_another_program_is_left_alone() {
    World::run("program", |world| {
        world.add_peer(1);
        ip(&format!(
            "xfrm state add src 198.18.1.1 dst 198.18.1.2 proto esp spi {OUTBOUND_SPI:#x} reqid 9 mode tunnel \
             aead rfc4106(gcm(aes)) 0x0101010101010101010101010101010101010101 128"
        ));
        let failures = open_agent().apply(vec![
            Change::PutTunnel(TUNNEL, plain_tunnel()),
            Change::PutChild(plain_child()),
        ]);
        let [failure] = failures.as_slice() else {
            panic!("{failures:?}")
        };
        assert_eq!(failure.subject, Subject::Child(INBOUND_SPI));
        assert!(
            failure.text.contains("another program holds an SA"),
            "{}",
            failure.text
        );
        assert!(ip(&format!("xfrm state list spi {OUTBOUND_SPI:#x}")).contains("reqid 9"));
    });
}

/// What a kernel without the module xfrm_interface does for want of a name here.
#[test]
fn an_agent_that_cannot_make_interfaces_says_so_before_the_first_tunnel_and_until_it_can() {
    World::run("unable", |_| {
        ip("link add anyswan-probe type dummy");
        let mut agent = open_agent();
        for report in [agent.adopt(wanted([], [])), agent.reconcile()] {
            let [failure] = report.failures.as_slice() else {
                panic!("{report:?}")
            };
            assert_eq!(failure.subject, Subject::Kernel);
            assert!(
                failure
                    .text
                    .starts_with("cannot create the xfrm interface anyswan-probe"),
                "{}",
                failure.text
            );
        }
        ip("link delete anyswan-probe");
        assert_eq!(agent.reconcile().failures, []);
        assert_eq!(ip("link show type xfrm"), "", "the probe is gone");
        assert_eq!(agent.failures().count(), 0);
    });
}
