//! Every rule of the schema, broken once: the error names the field, what it holds, and the rule.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use proto::*;

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn endpoint(address: &[u8], port: u32) -> Option<v1::Endpoint> {
    Some(v1::Endpoint {
        address: address.to_vec(),
        port,
    })
}

fn tunnel() -> v1::Tunnel {
    v1::Tunnel {
        name: "acme".into(),
        id: 1,
        remote_id: Some(v1::Identity {
            kind: Some(v1::identity::Kind::Fqdn("acme.example".into())),
        }),
        local_id: None,
        esp: vec!["aes256gcm16".into()],
        local_ts: vec!["10.1.0.0/16".into()],
        remote_ts: vec!["10.2.0.0/16".into()],
        netns: String::new(),
        interface: "acme".into(),
        mtu: 0,
        auth: 0,
        addresses: Vec::new(),
        redirect: String::new(),
        rekey_bytes: 0,
        ppk: None,
    }
}

fn child_sa() -> v1::ChildSa {
    let any = v1::TrafficSelector {
        protocol: 0,
        first_port: 0,
        last_port: 65_535,
        first_address: vec![10, 1, 0, 0],
        last_address: vec![10, 1, 255, 255],
    };
    v1::ChildSa {
        inbound_spi: 1 << 22 | 5,
        outbound_spi: 0x1000,
        ike_initiator_spi: 1,
        ike_responder_spi: 2,
        tunnel: "acme".into(),
        local: endpoint(&[203, 0, 113, 1], 500),
        peer: endpoint(&[198, 51, 100, 1], 500),
        udp_encap: false,
        suite: "aes256gcm16".into(),
        local_ts: vec![any.clone()],
        remote_ts: vec![any],
        created_unix_ms: now().unix_ms(),
        expires_unix_ms: now().after(Duration::from_secs(3600)).unix_ms(),
        precedence: 1,
    }
}

/// Breaks something in a good message and compares the error.
fn broken<W, T: TryFrom<W, Error = Invalid>>(mut message: W, break_it: impl FnOnce(&mut W), error: &str) {
    break_it(&mut message);
    match T::try_from(message) {
        Ok(_) => panic!("accepted, where {error:?} was expected"),
        Err(found) => assert_eq!(found.to_string(), error),
    }
}

#[test]
fn of_tunnels() {
    let check = |break_it: fn(&mut v1::Tunnel), error| broken::<_, Tunnel>(tunnel(), break_it, error);
    Tunnel::try_from(tunnel()).expect("the unbroken one is good");
    check(
        |t| t.name = "a b".into(),
        r#"name: "a b" is not 1 to 63 letters, digits, '.', '_', '-', a letter or digit first"#,
    );
    check(
        |t| t.name = "-x".into(),
        r#"name: "-x" is not 1 to 63 letters, digits, '.', '_', '-', a letter or digit first"#,
    );
    check(|t| t.id = 0, "id: 0 is not a tunnel's number (1 to 65535)");
    check(
        |t| t.id = 65_536,
        "id: 65536 is not a tunnel's number (1 to 65535)",
    );
    check(
        |t| t.remote_id = None,
        "remote_id: nothing where a value is needed",
    );
    check(
        |t| t.remote_id = Some(v1::Identity::default()),
        "remote_id.kind: nothing where a value is needed",
    );
    check(
        |t| t.ppk = Some(v1::Ppk::default()),
        r#"ppk.id: "" is not 1 to 255 printable ASCII characters without blanks"#,
    );
    check(|t| t.esp.clear(), "esp: nothing where a value is needed");
    check(
        |t| t.esp = vec!["des".into()],
        "esp[0].suite: \"des\" is not one of aes256gcm16, aes128gcm16, chacha20poly1305, aes256-sha256, aes256-sha384, \
         aes256-sha512, aes128-sha256, aes128-sha384, aes128-sha512, null-sha256, null-sha384, null-sha512",
    );
    check(
        |t| t.remote_ts.clear(),
        "remote_ts: nothing where a value is needed",
    );
    check(
        |t| t.local_ts = vec!["10.0.0.0/8".into(), "x".into()],
        r#"local_ts[1].prefix: "x" is not a prefix"#,
    );
    check(
        |t| t.local_ts = vec!["10.1.2.3/16".into()],
        r#"local_ts[0].prefix: "10.1.2.3/16" has bits behind its length; 10.1.0.0/16 would do"#,
    );
    for (text, complaint) in [
        (
            "10.0.0.0/8[tcp",
            r#"selector: "10.0.0.0/8[tcp" has no ] at its end"#,
        ),
        (
            "10.0.0.0/8[tpc]",
            r#"protocol: "tpc" is neither a number (1 to 255) nor icmp, tcp, udp, gre, ipv6-icmp, sctp"#,
        ),
        (
            "10.0.0.0/8[0]",
            r#"protocol: "0" is neither a number (1 to 255) nor icmp, tcp, udp, gre, ipv6-icmp, sctp"#,
        ),
        ("10.0.0.0/8[icmp/8]", r#"protocol: "icmp" has no ports"#),
        (
            "10.0.0.0/8[tcp/90-80]",
            r#"ports: "90-80" is neither a port nor a range of ports"#,
        ),
        (
            "10.0.0.0/8[tcp/65536]",
            r#"ports: "65536" is neither a port nor a range of ports"#,
        ),
    ] {
        let break_it = |t: &mut v1::Tunnel| t.remote_ts = vec![text.into()];
        broken::<_, Tunnel>(tunnel(), break_it, &format!("remote_ts[0].{complaint}"));
    }
    check(
        |t| (t.local_ts, t.remote_ts) = (vec!["10.0.0.0/8".into()], vec!["2001:db8::/32".into()]),
        r#"local_ts: "10.0.0.0/8" has no address family and protocol in common with remote_ts"#,
    );
    check(
        |t| (t.local_ts, t.remote_ts) = (vec!["10.0.0.0/8[tcp]".into()], vec!["10.0.0.0/8[udp]".into()]),
        r#"local_ts: "10.0.0.0/8[tcp]" has no address family and protocol in common with remote_ts"#,
    );
    check(
        |t| (t.local_ts, t.remote_ts) = (vec!["10.0.0.0/8".into(); 17], vec!["10.0.0.0/8".into(); 16]),
        "local_ts: 272 pairs with remote_ts are more than 256",
    );
    check(
        |t| t.local_ts = vec!["10.0.0.0/8".into(); 65],
        "local_ts: 65 items are more than 64",
    );
    for (to, error) in [
        (
            "10.0.0.300",
            r#"redirect: "10.0.0.300" is neither an address nor a domain name"#,
        ),
        (
            "-gw.example",
            r#"redirect: "-gw.example" is neither an address nor a domain name"#,
        ),
        (
            "gw..example",
            r#"redirect: "gw..example" is neither an address nor a domain name"#,
        ),
        ("0.0.0.0", r#"redirect: "0.0.0.0" is not a host's address"#),
        ("ff02::1", r#"redirect: "ff02::1" is not a host's address"#),
    ] {
        broken::<_, Tunnel>(tunnel(), |t| t.redirect = to.into(), error);
    }
    check(
        |t| t.netns = "../etc".into(),
        r#"netns: "../etc" is not 1 to 255 printable characters without '/'"#,
    );
    check(
        |t| t.netns = "..".into(),
        r#"netns: ".." is not 1 to 255 printable characters without '/'"#,
    );
    let interface = "is not 1 to 15 printable characters without '/', ':' and '%'";
    for wrong in ["", "sixteen-letters-", "a/b", "a b", ".", "eth0:1", "sw%d"] {
        let break_it = |t: &mut v1::Tunnel| t.interface = wrong.into();
        broken::<_, Tunnel>(tunnel(), break_it, &format!("interface: {wrong:?} {interface}"));
    }
    for reserved in ["lo", "all", "default"] {
        let break_it = |t: &mut v1::Tunnel| t.interface = reserved.into();
        let message = format!("interface: {reserved:?} is a name of the kernel's own");
        broken::<_, Tunnel>(tunnel(), break_it, &message);
    }
    check(|t| t.auth = 9, "auth: 9 is no method that this program knows");
    check(
        |t| t.addresses = vec![vec![10, 3, 0, 1]],
        "addresses[0].address: 10.3.0.1 lies within none of remote_ts",
    );
    check(
        |t| t.addresses = vec![vec![10]],
        "addresses[0].address: [10] is not an address of 4 or 16 octets",
    );
    check(
        |t| t.addresses = vec![vec![10, 2, 0, 1]; 9],
        "addresses: 9 items are more than 8",
    );
    check(
        |t| t.rekey_bytes = 1_048_575,
        "rekey_bytes: 1048575 is less than 1048576 octets",
    );
    check(
        |t| {
            (t.local_ts, t.remote_ts) = (vec!["::/0".into()], vec!["2001:db8::/32".into()]);
            t.mtu = 1279;
        },
        "mtu: 1279 is too little for the IPv6 in remote_ts (1280)",
    );
    check(|t| t.mtu = 67, "mtu: 67 is not an MTU (68 to 65535)");
}

#[test]
fn of_identities() {
    let check = |kind, error: &str| {
        broken::<_, Identity>(v1::Identity { kind: Some(kind) }, |_| {}, error);
    };
    use v1::identity::Kind;
    check(
        Kind::Address(vec![1, 2, 3]),
        "address: [1, 2, 3] is not an address of 4 or 16 octets",
    );
    check(Kind::Fqdn(String::new()), r#"fqdn: "" is not a domain name"#);
    check(Kind::Fqdn("a b".into()), r#"fqdn: "a b" is not a domain name"#);
    check(
        Kind::Rfc822("nobody".into()),
        r#"rfc822: "nobody" is not an address like user@domain"#,
    );
    check(Kind::KeyId(vec![]), "key_id: [] is not 1 to 255 octets");
    let folded = Identity::try_from(v1::Identity {
        kind: Some(Kind::Fqdn("Acme.Example".into())),
    });
    assert_eq!(
        folded.unwrap().to_string(),
        "acme.example",
        "case means nothing here"
    );
}

#[test]
fn of_child_sas() {
    let check = |break_it: fn(&mut v1::ChildSa), error| broken::<_, ChildSa>(child_sa(), break_it, error);
    ChildSa::try_from(child_sa()).expect("the unbroken one is good");
    check(
        |c| c.inbound_spi = 0x3f_ffff,
        "inbound_spi: 0x003fffff has no slot in its high ten bits",
    );
    check(
        |c| c.outbound_spi = 255,
        "outbound_spi: 255 is an SPI that RFC 4303 reserves (below 256)",
    );
    check(
        |c| c.ike_responder_spi = 0,
        "ike_responder_spi: 0 is not the SPI of an established IKE SA",
    );
    check(
        |c| c.tunnel.clear(),
        r#"tunnel.name: "" is not 1 to 63 letters, digits, '.', '_', '-', a letter or digit first"#,
    );
    check(|c| c.local = None, "local: nothing where a value is needed");
    check(
        |c| c.peer = endpoint(&[198, 51, 100, 1], 70_000),
        "peer.port: 70000 is not a port (0 to 65535)",
    );
    check(
        |c| c.peer = endpoint(&[198, 51, 100, 1], 0),
        "peer.port: 0 is not a port to send to",
    );
    check(
        |c| c.peer = endpoint(&[0; 4], 500),
        "peer.address: 0.0.0.0 is not one host's address",
    );
    check(
        |c| c.peer = endpoint(&[224, 0, 0, 1], 500),
        "peer.address: 224.0.0.1 is not one host's address",
    );
    check(
        |c| c.peer = endpoint(&[1; 16], 500),
        "peer: [101:101:101:101:101:101:101:101]:500 is not of the family of local, 203.0.113.1:500",
    );
    check(
        |c| c.suite = "null".into(),
        "suite: \"null\" is not one of aes256gcm16, aes128gcm16, chacha20poly1305, aes256-sha256, aes256-sha384, \
         aes256-sha512, aes128-sha256, aes128-sha384, aes128-sha512, null-sha256, null-sha384, null-sha512",
    );
    check(
        |c| c.remote_ts.clear(),
        "remote_ts: nothing where a value is needed",
    );
    check(
        |c| c.local_ts[0].protocol = 256,
        "local_ts[0].protocol: 256 is not an IP protocol (0 to 255)",
    );
    check(
        |c| c.local_ts[0].first_port = 65_536,
        "local_ts[0].first_port: 65536 is not a port (0 to 65535)",
    );
    check(
        |c| (c.local_ts[0].first_port, c.local_ts[0].last_port) = (2, 1),
        "local_ts[0].last_port: 1 is before the first port, 2",
    );
    check(
        |c| c.local_ts[0].last_address = vec![10, 0, 0, 0],
        "local_ts[0].last_address: 10.0.0.0 is before the first address, 10.1.0.0",
    );
    check(
        |c| c.local_ts[0].last_address = vec![0xff; 16],
        "local_ts[0].last_address: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff is not of the family of the first, 10.1.0.0",
    );
    let selectors = |c: &mut v1::ChildSa| c.local_ts = vec![c.local_ts[0].clone(); 256];
    broken::<_, ChildSa>(child_sa(), selectors, "local_ts: 256 items are more than 255");
    check(
        |c| c.expires_unix_ms = 1,
        "expires_unix_ms: 1 is not after created_unix_ms",
    );
    check(
        |c| c.expires_unix_ms = u64::MAX,
        "expires_unix_ms: 18446744073709551615 is a moment after the year 9999",
    );
}

#[test]
fn of_sealed_records() {
    let sealed = || v1::Sealed {
        header: Bytes::from_static(b"\xff"),
        secret: Bytes::from_static(b"x"),
    };
    let check = |break_it: fn(&mut v1::Sealed), error| broken::<_, Sealed<Tunnel>>(sealed(), break_it, error);
    check(
        |s| s.secret = Bytes::new(),
        "tunnel.secret: nothing where a value is needed",
    );
    check(
        |s| s.secret = vec![0; 65_537].into(),
        "tunnel.secret: 65537 octets are more than 65536",
    );
    check(
        |s| s.header = vec![0; 32_769].into(),
        "tunnel.header: 32769 octets are more than 32768",
    );
    let error = Sealed::<Tunnel>::try_from(sealed()).unwrap_err().to_string();
    assert!(
        error.starts_with(r#"tunnel.header: b"\xff" is not an encoded tunnel: "#),
        "{error}"
    );
}

#[test]
fn of_sessions() {
    use v1::sync_request::Message;
    let check = |message, error: &str| {
        broken::<_, ToDistributor>(
            v1::SyncRequest {
                message: Some(message),
            },
            |_| {},
            error,
        );
    };
    check(
        Message::Hello(v1::Hello::default()),
        "hello.forward: nothing where a value is needed",
    );
    check(
        Message::Heartbeat(v1::Heartbeat { number: 0 }),
        "heartbeat.number: nothing where a value is needed",
    );
    let failure = |reason: &str| {
        let key = Some(v1::Key {
            kind: Some(v1::key::Kind::Edge(1)),
        });
        let failures = vec![v1::Failure {
            key,
            errno: 2,
            reason: reason.to_owned(),
        }];
        Message::Applied(v1::Applied {
            revision: 1,
            failures,
            failures_total: 1,
        })
    };
    let rule = "is not one line of at most 512 octets";
    check(
        failure("two\nlines"),
        &format!(r#"applied.failures[0].reason: "two\nlines" {rule}"#),
    );
    let many = vec![v1::Failure::default(); 257];
    let applied = v1::Applied {
        revision: 1,
        failures: many,
        failures_total: 257,
    };
    check(
        Message::Applied(applied),
        "applied.failures: 257 items are more than 256",
    );
}

#[test]
fn of_commits() {
    let request = v1::CommitRequest::default;
    broken::<_, Commit>(request(), |_| {}, "changes: nothing where a value is needed");
    broken::<_, Commit>(
        request(),
        |c| c.changes = vec![v1::Change::default()],
        "changes[0].change: nothing where a value is needed",
    );
    let remove = |kind| v1::Change {
        change: Some(v1::change::Change::Remove(v1::Key { kind: Some(kind) })),
    };
    broken::<_, Commit>(
        request(),
        |c| c.changes = vec![remove(v1::key::Kind::Tunnel("acme".into()))],
        "changes[0].remove: tunnel acme is not for an edge to remove",
    );
    broken::<_, Commit>(
        request(),
        |c| c.changes = vec![remove(v1::key::Kind::ChildSa(5))],
        "changes[0].remove.inbound_spi: 0x00000005 has no slot in its high ten bits",
    );
}

#[test]
fn long_values_are_shown_in_part() {
    let error = "x".repeat(10_000).parse::<Name>().unwrap_err().to_string();
    assert!(error.len() < 200, "{error}");
}

#[test]
fn a_tunnel_can_have_every_suite() {
    assert!(EspSuite::all().count() <= limits::SUITES);
}

#[test]
fn keys_are_of_their_suites_length_and_never_shown() {
    let keys = ChildSaKeys {
        inbound: vec![7; 20].into(),
        outbound: vec![7; 20].into(),
    };
    assert!(ChildSaKeys::decode(keys.encode().expose(), EspSuite::Encrypted(Cipher::Aes128Gcm16)).is_ok());
    let error =
        ChildSaKeys::decode(keys.encode().expose(), EspSuite::Encrypted(Cipher::Aes256Gcm16)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "inbound: 20 octets are not a key for aes256gcm16, which has 36"
    );
    assert!(!format!("{keys:?}").contains('7'));
    let wire = v1::ChildSaKeys {
        inbound: vec![7; 20],
        outbound: vec![7; 20],
    };
    assert!(!format!("{wire:?}").contains('7'));
}
