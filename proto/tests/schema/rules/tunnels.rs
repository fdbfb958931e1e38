//! Rules of customers' configurations.

use proto::*;

use super::Rules;

fn rules() -> Rules<v1::Tunnel> {
    Rules::of(v1::Tunnel::from(&testkit::tunnel("acme", 1)))
}

#[test]
fn of_names_and_numbers() {
    rules()
        .rule(
            "a name has no blanks",
            |t| t.name = "a b".into(),
            r#"name: "a b" is not 1 to 63 letters, digits, '.', '_', '-', a letter or digit first"#,
        )
        .rule(
            "a name begins with a letter or digit",
            |t| t.name = "-x".into(),
            r#"name: "-x" is not 1 to 63 letters, digits, '.', '_', '-', a letter or digit first"#,
        )
        .rule(
            "an id is not 0",
            |t| t.id = 0,
            "id: 0 is not a tunnel's number (1 to 65535)",
        )
        .rule(
            "an id has 16 bits",
            |t| t.id = 65_536,
            "id: 65536 is not a tunnel's number (1 to 65535)",
        )
        .check::<Tunnel>();
}

#[test]
fn of_authentication() {
    rules()
        .rule(
            "a customer has an identity",
            |t| t.remote_id = None,
            "remote_id: nothing where a value is needed",
        )
        .rule(
            "an identity is of some kind",
            |t| t.remote_id = Some(v1::Identity::default()),
            "remote_id.kind: nothing where a value is needed",
        )
        .rule(
            "the fleet's identity is of some kind too",
            |t| t.local_id = Some(v1::Identity::default()),
            "local_id.kind: nothing where a value is needed",
        )
        .rule(
            "a PPK has an identifier",
            |t| t.ppk = Some(v1::Ppk::default()),
            r#"ppk.id: "" is not 1 to 255 printable ASCII characters without blanks"#,
        )
        .rule(
            "a method is known",
            |t| t.auth = 9,
            "auth: 9 is no method that this program knows",
        )
        .check::<Tunnel>();
}

#[test]
fn of_suites() {
    rules()
        .rule(
            "there is a suite",
            |t| t.esp.clear(),
            "esp: nothing where a value is needed",
        )
        .rule(
            "a suite is known",
            |t| t.esp = vec!["des".into()],
            "esp[0].suite: \"des\" is not one of aes256gcm16, aes128gcm16, chacha20poly1305, aes256-sha256, \
             aes256-sha384, aes256-sha512, aes128-sha256, aes128-sha384, aes128-sha512, null-sha256, null-sha384, \
             null-sha512",
        )
        .rule(
            "suites are not many",
            |t| t.esp = vec!["aes256gcm16".into(); 17],
            "esp: 17 items are more than 16",
        )
        .check::<Tunnel>();
    assert!(
        EspSuite::all().count() <= limits::SUITES,
        "a tunnel can have every suite"
    );
}

#[test]
fn of_selectors() {
    rules()
        .rule(
            "there is a selector",
            |t| t.remote_ts.clear(),
            "remote_ts: nothing where a value is needed",
        )
        .rule(
            "a selector has a prefix",
            |t| t.local_ts = vec!["10.0.0.0/8".into(), "x".into()],
            r#"local_ts[1].prefix: "x" is not a prefix"#,
        )
        .rule(
            "a prefix has no bits behind its length",
            |t| t.local_ts = vec!["10.1.2.3/16".into()],
            r#"local_ts[0].prefix: "10.1.2.3/16" has bits behind its length; 10.1.0.0/16 would do"#,
        )
        .rule(
            "a bracket ends",
            |t| t.remote_ts = vec!["10.0.0.0/8[tcp".into()],
            r#"remote_ts[0].selector: "10.0.0.0/8[tcp" has no ] at its end"#,
        )
        .rule(
            "a protocol is known by name",
            |t| t.remote_ts = vec!["10.0.0.0/8[tpc]".into()],
            r#"remote_ts[0].protocol: "tpc" is neither a number (1 to 255) nor icmp, tcp, udp, gre, ipv6-icmp, sctp"#,
        )
        .rule(
            "any protocol is said by leaving it out",
            |t| t.remote_ts = vec!["10.0.0.0/8[0]".into()],
            r#"remote_ts[0].protocol: "0" is neither a number (1 to 255) nor icmp, tcp, udp, gre, ipv6-icmp, sctp"#,
        )
        .rule(
            "only some protocols have ports",
            |t| t.remote_ts = vec!["10.0.0.0/8[icmp/8]".into()],
            r#"remote_ts[0].protocol: "icmp" has no ports"#,
        )
        .rule(
            "a range of ports is not empty",
            |t| t.remote_ts = vec!["10.0.0.0/8[tcp/90-80]".into()],
            r#"remote_ts[0].ports: "90-80" is neither a port nor a range of ports"#,
        )
        .rule(
            "a port has 16 bits",
            |t| t.remote_ts = vec!["10.0.0.0/8[tcp/65536]".into()],
            r#"remote_ts[0].ports: "65536" is neither a port nor a range of ports"#,
        )
        .check::<Tunnel>();
}

#[test]
fn of_both_sides() {
    let both = |t: &mut v1::Tunnel, local: &[&str], remote: &[&str]| {
        (t.local_ts, t.remote_ts) = [local, remote]
            .map(|side| side.iter().map(ToString::to_string).collect())
            .into();
    };
    rules()
        .rule(
            "sides have a family in common",
            |t| both(t, &["10.0.0.0/8"], &["2001:db8::/32"]),
            r#"local_ts: "10.0.0.0/8" has no address family and protocol in common with remote_ts"#,
        )
        .rule(
            "sides have a protocol in common",
            |t| both(t, &["10.0.0.0/8[tcp]"], &["10.0.0.0/8[udp]"]),
            r#"local_ts: "10.0.0.0/8[tcp]" has no address family and protocol in common with remote_ts"#,
        )
        .rule(
            "pairs are not many",
            |t| both(t, &["10.0.0.0/8"; 17], &["10.0.0.0/8"; 16]),
            "local_ts: 272 pairs with remote_ts are more than 256",
        )
        .rule(
            "selectors are not many",
            |t| both(t, &["10.0.0.0/8"; 65], &["10.0.0.0/8"]),
            "local_ts: 65 items are more than 64",
        )
        .check::<Tunnel>();
}

#[test]
fn of_redirects() {
    rules()
        .rule(
            "a top-level domain is no number",
            |t| t.redirect = "10.0.0.300".into(),
            r#"redirect: "10.0.0.300" is neither an address nor a domain name"#,
        )
        .rule(
            "a label begins with no hyphen",
            |t| t.redirect = "-gw.example".into(),
            r#"redirect: "-gw.example" is neither an address nor a domain name"#,
        )
        .rule(
            "a label is not empty",
            |t| t.redirect = "gw..example".into(),
            r#"redirect: "gw..example" is neither an address nor a domain name"#,
        )
        .rule(
            "an address is not unspecified",
            |t| t.redirect = "0.0.0.0".into(),
            r#"redirect: "0.0.0.0" is not a host's address"#,
        )
        .rule(
            "an address is not multicast",
            |t| t.redirect = "ff02::1".into(),
            r#"redirect: "ff02::1" is not a host's address"#,
        )
        .check::<Tunnel>();
}

#[test]
fn of_names_for_the_kernel() {
    let netns = "is not 1 to 255 printable characters without '/'";
    let mut rules = rules()
        .rule(
            "a namespace's name is no path",
            |t| t.netns = "../etc".into(),
            &format!(r#"netns: "../etc" {netns}"#),
        )
        .rule(
            "a namespace's name is no directory's own",
            |t| t.netns = "..".into(),
            &format!(r#"netns: ".." {netns}"#),
        );
    let interface = "is not 1 to 15 printable characters without '/', ':' and '%'";
    for (name, wrong) in [
        ("an interface has a name", ""),
        ("an interface's name is short", "sixteen-letters-"),
        ("an interface's name has no slash", "a/b"),
        ("an interface's name has no blank", "a b"),
        ("an interface's name is no directory's own", "."),
        ("an interface's name is no alias", "eth0:1"),
        ("an interface's name is no pattern", "sw%d"),
    ] {
        let error = format!("interface: {wrong:?} {interface}");
        rules = rules.rule(name, |t| t.interface = wrong.into(), &error);
    }
    for reserved in ["lo", "all", "default"] {
        let error = format!("interface: {reserved:?} is a name of the kernel's own");
        rules = rules.rule(
            "an interface's name is not the kernel's",
            |t| t.interface = reserved.into(),
            &error,
        );
    }
    rules.check::<Tunnel>();
}

#[test]
fn of_what_a_customer_is_given() {
    rules()
        .rule(
            "an address lies within remote_ts",
            |t| t.addresses = vec![vec![10, 3, 0, 1]],
            "addresses[0].address: 10.3.0.1 lies within none of remote_ts",
        )
        .rule(
            "an address has 4 or 16 octets",
            |t| t.addresses = vec![vec![10]],
            "addresses[0].address: [10] is not an address of 4 or 16 octets",
        )
        .rule(
            "addresses are not many",
            |t| t.addresses = vec![vec![10, 2, 0, 1]; 9],
            "addresses: 9 items are more than 8",
        )
        .check::<Tunnel>();
}

#[test]
fn of_sizes() {
    rules()
        .rule(
            "a rekey comes after a second's worth at least",
            |t| t.rekey_bytes = 1_048_575,
            "rekey_bytes: 1048575 is less than 1048576 octets",
        )
        .rule(
            "IPv6 has room for its least packet",
            |t| {
                (t.local_ts, t.remote_ts) = (vec!["::/0".into()], vec!["2001:db8::/32".into()]);
                t.mtu = 1279;
            },
            "mtu: 1279 is too little for the IPv6 in remote_ts (1280)",
        )
        .rule(
            "IPv4 has room for its least packet",
            |t| t.mtu = 67,
            "mtu: 67 is not an MTU (68 to 65535)",
        )
        .rule(
            "no packet is longer than IP has a length for",
            |t| t.mtu = 65_536,
            "mtu: 65536 is not an MTU (68 to 65535)",
        )
        .check::<Tunnel>();
}

#[test]
fn of_sealed_records() {
    use bytes::Bytes;

    let sealed = v1::Sealed::from(&testkit::sealed(testkit::tunnel("acme", 1)));
    let [nothing, header, secret] = [0, 32_769, 65_537].map(|length| Bytes::from(vec![0; length]));
    Rules::of(sealed.clone())
        .rule(
            "there is a secret",
            |s| s.secret = nothing.clone(),
            "tunnel.secret: nothing where a value is needed",
        )
        .rule(
            "there is a header",
            |s| s.header = nothing.clone(),
            "tunnel.header: nothing where a value is needed",
        )
        .rule(
            "a secret is not long",
            |s| s.secret = secret,
            "tunnel.secret: 65537 octets are more than 65536",
        )
        .rule(
            "a header is not long",
            |s| s.header = header,
            "tunnel.header: 32769 octets are more than 32768",
        )
        .check::<Sealed<Tunnel>>();

    let header = Bytes::from_static(b"\xff");
    let error = Sealed::<Tunnel>::try_from(v1::Sealed { header, ..sealed })
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(r#"tunnel.header: b"\xff" is not an encoded tunnel: "#),
        "{error}"
    );
}
