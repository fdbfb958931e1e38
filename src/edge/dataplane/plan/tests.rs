use super::*;
use crate::fixtures::{self, child_sa, tampered_child_sa, tombstone, tunnel};

const SPI: u32 = 0x0040_0001;
const LEASE: Duration = Duration::from_secs(3600);

fn planner() -> Planner {
    Planner::new(fixtures::fleet_key().into(), LEASE)
}

fn terms() -> Terms {
    Terms {
        now: fixtures::now(),
        packet_limit: 1 << 30,
    }
}

fn shared(records: Vec<Record>) -> Vec<Arc<Record>> {
    records.into_iter().map(Arc::new).collect()
}

fn summary(changes: &[Change]) -> Vec<String> {
    let summary = changes.iter().map(|change| match change {
        Change::PutTunnel(id, tunnel) => format!("+tunnel {} {}", id.0, tunnel.interface),
        Change::RemoveTunnel(id) => format!("-tunnel {}", id.0),
        Change::PutChild(child) => format!("+child {:x}", child.inbound_spi),
        Change::RemoveChild(spi) => format!("-child {spi:x}"),
    });
    summary.collect()
}

fn failures(planner: &Planner) -> Vec<String> {
    let failures = planner.failures([], Slot::new(1).unwrap());
    failures
        .iter()
        .map(|failure| format!("{}: {}", failure.key, failure.reason))
        .collect()
}

#[test]
fn a_child_sa_gets_everything_the_kernel_needs() {
    let records = shared(vec![child_sa(5, SPI, "acme"), tunnel(9, "acme", 1)]);
    let wanted = planner().wanted(&records, terms());

    let tunnel = &wanted.tunnels[&TunnelId(1)];
    assert_eq!(
        (tunnel.interface.as_str(), tunnel.routes[0].to_string().as_str()),
        ("ipsec1", "10.1.0.0/16")
    );
    let child = &wanted.children[&SPI];
    assert_eq!((child.tunnel, child.precedence), (TunnelId(1), 5));
    assert_eq!(child.local.to_string(), "203.0.113.1");
    assert_eq!((child.encap, child.packet_limit), (None, Some(1 << 30)));
    assert_eq!(child.expires, fixtures::now() + LEASE);
    let gcm = |key| Cipher::Aead {
        algorithm: Algorithm::new("rfc4106(gcm(aes))", key),
        icv_bits: 128,
    };
    assert_eq!(
        (&child.inbound, &child.outbound),
        (&gcm(&[1; 36]), &gcm(&[2; 36]))
    );
}

/// A key whose octets count up, so that each part of it is told from the others.
#[test]
fn each_suite_has_the_kernels_name_and_its_part_of_the_key() {
    let aead = |name: &str, key: &[u8]| Cipher::Aead {
        algorithm: Algorithm::new(name, key),
        icv_bits: 128,
    };
    let key: Vec<u8> = (0..96).collect();
    for (suite, expected) in [
        (
            EspSuite::Encrypted(ike::Cipher::Aes128Gcm16),
            aead("rfc4106(gcm(aes))", &key[..20]),
        ),
        (
            EspSuite::Encrypted(ike::Cipher::Aes256Gcm16),
            aead("rfc4106(gcm(aes))", &key[..36]),
        ),
        (
            EspSuite::Encrypted(ike::Cipher::ChaCha20Poly1305),
            aead("rfc7539esp(chacha20,poly1305)", &key[..36]),
        ),
        (
            EspSuite::Encrypted(ike::Cipher::Aes128Cbc(Integrity::HmacSha256)),
            Cipher::EncryptThenMac {
                encryption: Algorithm::new("cbc(aes)", &key[..16]),
                integrity: Algorithm::new("hmac(sha256)", &key[16..48]),
                icv_bits: 128,
            },
        ),
        (
            EspSuite::Encrypted(ike::Cipher::Aes256Cbc(Integrity::HmacSha512)),
            Cipher::EncryptThenMac {
                encryption: Algorithm::new("cbc(aes)", &key[..32]),
                integrity: Algorithm::new("hmac(sha512)", &key[32..96]),
                icv_bits: 256,
            },
        ),
        (
            EspSuite::Null(Integrity::HmacSha384),
            Cipher::EncryptThenMac {
                encryption: Algorithm::new("ecb(cipher_null)", &[]),
                integrity: Algorithm::new("hmac(sha384)", &key[..48]),
                icv_bits: 192,
            },
        ),
    ] {
        assert!(cipher(suite, &key[..suite.key_len()]) == expected, "{suite}");
    }
}

/// A repeated IV breaks counter mode, so those who share a key send few packets; CBC has no such limit.
#[test]
fn packets_are_limited_in_counter_mode_alone() {
    let limit = |suite: EspSuite| {
        let sa = fixtures::child_sa_with(suite, 5, SPI, "acme");
        let wanted = planner().wanted(&shared(vec![sa, tunnel(9, "acme", 1)]), terms());
        wanted.children[&SPI].packet_limit
    };
    for suite in EspSuite::all() {
        let expected = suite.is_counter_mode().then_some(1 << 30);
        assert_eq!(limit(suite), expected, "{suite}");
    }
    let limited = EspSuite::all().filter(|suite| suite.is_counter_mode()).count();
    assert_eq!(limited, 3);
}

#[test]
fn no_lease_outlasts_the_record() {
    let records = shared(vec![tunnel(1, "acme", 1), child_sa(2, SPI, "acme")]);
    let day = Duration::from_secs(86_400);
    let late = Terms {
        now: fixtures::now() + day - Duration::from_secs(60),
        ..terms()
    };
    assert_eq!(
        planner().wanted(&records, late).children[&SPI].expires,
        fixtures::now() + day
    );
}

#[test]
fn a_record_that_does_not_open_harms_no_other() {
    let mut planner = planner();
    let records = shared(vec![
        tunnel(1, "acme", 1),
        tampered_child_sa(2, SPI, "acme"),
        child_sa(3, SPI + 1, "acme"),
        child_sa(4, SPI + 2, "nobody"),
    ]);
    let changes = planner.changes(&records, terms());
    assert_eq!(
        summary(&changes),
        [
            "+tunnel 1 ipsec1",
            "-child 400001",
            "+child 400002",
            "-child 400003"
        ]
    );
    let said = failures(&planner);
    assert!(
        said[0].starts_with("child SA 0x00400001: its keys do not open"),
        "{said:?}"
    );
    assert_eq!(said[1], "child SA 0x00400003: there is no tunnel nobody");

    planner.changes(
        &shared(vec![tombstone(5, Key::ChildSa(fixtures::spi(SPI)))]),
        terms(),
    );
    assert_eq!(failures(&planner).len(), 1, "what is removed fails no more");
}

#[test]
fn a_tunnel_of_another_fleet_key_is_a_failure_of_that_tunnel() {
    let mut planner = Planner::new(FleetKey::generate().unwrap().into(), LEASE);
    planner.changes(&shared(vec![tunnel(1, "acme", 1)]), terms());
    let said = failures(&planner);
    assert!(
        said[0].starts_with("tunnel acme: its credentials do not open"),
        "{said:?}"
    );
    planner.changes(
        &shared(vec![tombstone(2, Key::Tunnel("acme".parse().unwrap()))]),
        terms(),
    );
    assert!(failures(&planner).is_empty());
}

#[test]
fn a_tunnel_that_was_made_anew_leaves_its_old_number() {
    let mut planner = planner();
    planner.changes(&shared(vec![tunnel(1, "acme", 1), tunnel(2, "zeta", 2)]), terms());
    let again = shared(vec![tunnel(3, "acme", 3), tunnel(4, "zeta", 1)]);
    assert_eq!(
        summary(&planner.changes(&again, terms())),
        ["-tunnel 1", "+tunnel 3 ipsec3", "-tunnel 2", "+tunnel 1 ipsec1"]
    );
}

#[test]
fn a_number_that_another_tunnel_has_by_now_is_not_removed() {
    let mut planner = planner();
    planner.changes(&shared(vec![tunnel(1, "acme", 1)]), terms());
    let swapped = shared(vec![tunnel(2, "zeta", 1), tunnel(3, "acme", 2)]);
    assert_eq!(
        summary(&planner.changes(&swapped, terms())),
        ["+tunnel 1 ipsec1", "+tunnel 2 ipsec2"]
    );
    let gone = shared(vec![tombstone(4, Key::Tunnel("zeta".parse().unwrap()))]);
    assert_eq!(summary(&planner.changes(&gone, terms())), ["-tunnel 1"]);
}

#[test]
fn what_the_kernel_refuses_is_said_of_the_record_it_concerns() {
    let mut planner = planner();
    planner.changes(&shared(vec![tunnel(1, "acme", 1)]), terms());
    let refusal = |subject, text: &str| xfrm::Failure {
        subject,
        errno: 93,
        text: text.into(),
    };
    let kernel = [
        refusal(Subject::Tunnel(TunnelId(1)), "no xfrm\ninterface"),
        refusal(Subject::Child(SPI), &"ü".repeat(400)),
        refusal(Subject::Kernel, "no netlink"),
    ];
    let failures = planner.failures(&kernel, Slot::new(7).unwrap());
    let keys: Vec<_> = failures.iter().map(|failure| failure.key.to_string()).collect();
    assert_eq!(keys, ["tunnel acme", "child SA 0x00400001", "edge in slot 7"]);
    assert_eq!(
        (failures[0].errno, failures[0].reason.as_str()),
        (93, "no xfrm interface")
    );
    assert_eq!(failures[1].reason.len(), limits::REASON);
}
