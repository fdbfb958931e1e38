//! The kernel is found as another process, or nobody, or another program left it.

use std::fmt::Write;

use xfrm::{Algorithm, Change, Child, Cipher, Report, TunnelId};

use crate::world::{
    INBOUND_SPI, OUTBOUND_SPI, TUNNEL, World, counters, in_seconds, ip, open_agent, plain_child,
    plain_tunnel, prefix, wanted,
};

/// One interface, two routes, two SAs and two selectors in three directions.
const OBJECTS: usize = 1 + 2 + 2 + 6;

/// Everything there is in the kernel about one tunnel, counters left out.
fn everything() -> String {
    let mut text = ip("-d link show type xfrm");
    for table in [
        "route show proto 87",
        "-6 route show proto 87",
        "xfrm state",
        "xfrm policy",
    ] {
        let _ = writeln!(text, "{}", ip(table));
    }
    text
}

#[test]
fn a_restarted_agent_leaves_everything_as_it_is() {
    World::run("restart", |world| {
        let peer = world.add_peer(1);
        peer.face(&plain_child());
        let wanted = wanted([(TUNNEL, plain_tunnel())], [plain_child()]);
        let report = open_agent().adopt(wanted.clone());
        assert_eq!(
            report,
            Report {
                added: OBJECTS,
                ..Report::default()
            }
        );
        assert_eq!(peer.ping("10.1.0.1", 5), 5);
        let before = counters(OUTBOUND_SPI).expect("an SA");
        assert_eq!((before.packets, before.sequence), (5, 5));

        let report = open_agent().adopt(wanted);
        assert_eq!(
            report,
            Report {
                adopted: OBJECTS,
                ..Report::default()
            }
        );
        assert_eq!(counters(OUTBOUND_SPI), Some(before));
        assert_eq!(peer.ping("10.1.0.1", 5), 5);
    });
}

/// Whatever the cipher, its packets arrive, and an agent that comes later finds it as it should be.
#[test]
fn every_cipher_works_and_is_adopted() {
    World::run("ciphers", |world| {
        let peer = world.add_peer(1);
        let aead = |name: &str, key_len| Cipher::Aead {
            algorithm: Algorithm::new(name, &vec![3; key_len]),
            icv_bits: 128,
        };
        let hmac = |encryption: &str, key_len, integrity: &str, icv_bits: u32| Cipher::EncryptThenMac {
            encryption: Algorithm::new(encryption, &vec![3; key_len]),
            integrity: Algorithm::new(integrity, &vec![4; icv_bits as usize / 4]),
            icv_bits,
        };
        for (cipher, number) in [
            aead("rfc4106(gcm(aes))", 36),
            aead("rfc7539esp(chacha20,poly1305)", 36),
            hmac("cbc(aes)", 16, "hmac(sha256)", 128),
            hmac("cbc(aes)", 32, "hmac(sha384)", 192),
            hmac("cbc(aes)", 32, "hmac(sha512)", 256),
            hmac("ecb(cipher_null)", 0, "hmac(sha256)", 128),
        ]
        .iter()
        .zip(1..)
        {
            let child = Child {
                inbound_spi: INBOUND_SPI + number,
                outbound_spi: OUTBOUND_SPI + number,
                inbound: cipher.clone(),
                outbound: cipher.clone(),
                ..plain_child()
            };
            peer.forget_all();
            peer.face(&child);
            let wanted = wanted([(TUNNEL, plain_tunnel())], [child]);
            let report = open_agent().adopt(wanted.clone());
            assert_eq!(report.failures, [], "{cipher}");
            assert_eq!(peer.ping("10.1.0.1", 3), 3, "{cipher}");
            let report = open_agent().adopt(wanted);
            assert_eq!((report.adopted, report.added), (OBJECTS, 0), "{cipher}");
        }
    });
}

#[test]
fn what_another_program_deletes_comes_back() {
    World::run("repair", |world| {
        let peer = world.add_peer(1);
        peer.face(&plain_child());
        let mut agent = open_agent();
        agent.adopt(wanted([(TUNNEL, plain_tunnel())], [plain_child()]));
        let delete_sa =
            format!("xfrm state delete src 198.18.1.2 dst 198.18.1.1 proto esp spi {INBOUND_SPI:#x}");
        for (command, added, updated) in [
            (delete_sa.as_str(), 1, 0),
            ("xfrm state flush", 2, 0),
            ("xfrm policy flush", 6, 0),
            ("route delete 10.2.0.0/16", 1, 0),
            // Both routes go with it.
            ("link set ipsec0 down", 2, 1),
            ("link set ipsec0 mtu 1300", 0, 1),
            ("link delete ipsec0", 3, 0),
        ] {
            ip(command);
            let report = agent.reconcile();
            let adopted = OBJECTS - added - updated;
            assert_eq!(
                report,
                Report {
                    adopted,
                    added,
                    updated,
                    ..Report::default()
                },
                "after {command}"
            );
            assert_eq!(peer.ping("10.1.0.1", 2), 2, "after {command}");
            assert_eq!(peer.ping("fd00:1::1", 2), 2, "after {command}");
        }
    });
}

#[test]
fn a_change_finds_that_the_kernel_is_not_as_it_was() {
    World::run("drift", |world| {
        let peer = world.add_peer(1);
        peer.face(&plain_child());
        let mut agent = open_agent();
        agent.adopt(wanted([(TUNNEL, plain_tunnel())], [plain_child()]));
        ip("xfrm state flush");
        let longer = xfrm::Child {
            expires: in_seconds(1200),
            ..plain_child()
        };
        assert_eq!(agent.apply(vec![Change::PutChild(longer)]), []);
        assert_eq!(peer.ping("10.1.0.1", 2), 2);
    });
}

#[test]
fn a_removed_tunnel_leaves_nothing() {
    World::run("remove", |world| {
        world.add_peer(1);
        let mut agent = open_agent();
        let nothing = everything();
        agent.apply(vec![
            Change::PutTunnel(TUNNEL, plain_tunnel()),
            Change::PutChild(plain_child()),
        ]);
        assert_ne!(everything(), nothing);
        assert_eq!(agent.apply(vec![Change::RemoveChild(INBOUND_SPI)]), []);
        assert_eq!(ip("xfrm state") + &ip("xfrm policy"), "");
        agent.apply(vec![Change::PutChild(plain_child())]);
        assert_eq!(agent.apply(vec![Change::RemoveTunnel(TUNNEL)]), []);
        assert_eq!(everything(), nothing);
        assert!(agent.wanted().children.is_empty());
    });
}

#[test]
fn unwanted_objects_go_and_other_programs_objects_stay() {
    World::run("unwanted", |world| {
        world.add_peer(1);
        ip("link add other type xfrm if_id 1398210567");
        ip("link delete other");
        ip("link add other type xfrm if_id 9");
        ip(
            "xfrm state add src 198.18.1.1 dst 198.18.1.2 proto esp spi 0x900 reqid 9 mode tunnel \
            aead rfc4106(gcm(aes)) 0x0101010101010101010101010101010101010101 128",
        );
        ip("xfrm policy add src 10.8.0.0/16 dst 10.9.0.0/16 dir out \
            tmpl src 198.18.1.1 dst 198.18.1.2 proto esp reqid 9 mode tunnel");
        let others = everything();

        let mut other = plain_tunnel();
        other.interface = "ipsec1".into();
        other.routes = vec![prefix("10.3.0.0/16")];
        let second = TunnelId(8);
        open_agent().adopt(wanted(
            [(TUNNEL, plain_tunnel()), (second, other)],
            [plain_child()],
        ));
        // A second interface, its route goes with it.
        let report = open_agent().adopt(wanted([(TUNNEL, plain_tunnel())], [plain_child()]));
        assert_eq!(
            report,
            Report {
                adopted: OBJECTS,
                removed: 1,
                ..Report::default()
            }
        );
        let report = open_agent().adopt(wanted([], []));
        assert_eq!(
            report,
            Report {
                removed: 1 + 2 + 6,
                ..Report::default()
            }
        );
        assert_eq!(everything(), others);
    });
}
