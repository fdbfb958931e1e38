//! `anyswan tunnel`.

use std::collections::BTreeSet;
use std::thread;

use serde_json::json;

use crate::hub::{Hub, PSK, prefix_behind, write_secret};
use crate::program::Ended;

#[test]
fn a_tunnel_is_added_shown_and_removed() {
    let hub = Hub::start(&[]);
    let added = hub.add_tunnel("acme", "--json").expect(0).json();
    assert_eq!(added["tunnel"]["id"], 1);
    assert_eq!(added["edges"], json!([]));

    let listed = hub.operator("tunnel list --json").expect(0).json();
    let expected = json!([{
        "name": "acme", "id": 1, "remote_id": "acme.example", "local_id": null, "auth": "psk", "ppk": null,
        "local_ts": ["10.0.0.0/8"], "remote_ts": [prefix_behind("acme")], "esp": [
            "aes256gcm16", "aes128gcm16", "chacha20poly1305", "aes256-sha256", "aes256-sha384", "aes256-sha512",
            "aes128-sha256", "aes128-sha384", "aes128-sha512",
        ],
        "interface": "swan1", "netns": null, "mtu": null, "addresses": [], "redirect": null, "rekey_bytes": null,
    }]);
    assert_eq!(listed, expected);
    let table = hub.operator("tunnel list").expect(0).stdout;
    assert!(
        table.contains("acme.example") && table.contains("swan1"),
        "{table}"
    );

    hub.operator("tunnel remove acme").expect(0);
    assert_eq!(hub.operator("tunnel list --json").expect(0).json(), json!([]));
    hub.operator("tunnel remove acme").expect(0); // So that a script may try again.
    hub.operator("tunnel remove other")
        .expect(3)
        .complains(&["no tunnel other"]);
}

#[test]
fn everything_about_a_tunnel_can_be_said() {
    let hub = Hub::start(&[]);
    let command = "tunnel add beta --remote-id ops@beta.example --local-id 203.0.113.1 --psk-file - \
                   --local-ts 10.0.0.0/8 2001:db8::/32 --remote-ts 192.168.1.0/24,2001:db8:1::/48 --esp aes128gcm16,null-sha256 \
                   --netns beta --interface beta0 --mtu 1400 \
                   --address 192.168.1.9,2001:db8:1::9 --rekey-bytes 1000000000 --json";
    let added = hub.operator_with_input(command, PSK).expect(0).json();
    let expected = json!({
        "name": "beta", "id": 1, "remote_id": "ops@beta.example", "local_id": "203.0.113.1", "auth": "psk", "ppk": null,
        "local_ts": ["10.0.0.0/8", "2001:db8::/32"], "remote_ts": ["192.168.1.0/24", "2001:db8:1::/48"],
        "esp": ["aes128gcm16", "null-sha256"], "interface": "beta0", "netns": "beta", "mtu": 1400,
        "addresses": ["192.168.1.9", "2001:db8:1::9"], "redirect": null, "rekey_bytes": 1000000000,
    });
    assert_eq!(added["tunnel"], expected);

    let table = hub.operator("tunnel list").expect(0).stdout;
    for told in [
        "ops@beta.example",
        "203.0.113.1",
        "2001:db8::/32",
        "192.168.1.0/24",
        "null-sha256",
        "beta0",
        "1400",
        "192.168.1.9",
        "2001:db8:1::9",
        "1000000000",
    ] {
        assert!(table.contains(told), "{told} in {table}");
    }
}

#[test]
fn the_list_is_no_wider_than_what_tunnels_need() {
    let hub = Hub::start(&[]);
    hub.add_tunnel("acme", "").expect(0);
    let head = |hub: &Hub| {
        hub.operator("tunnel list")
            .expect(0)
            .stdout
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    let usual = "NAME ID REMOTE ID AUTH LOCAL TS REMOTE TS ESP INTERFACE";
    assert_eq!(head(&hub).split_whitespace().collect::<Vec<_>>().join(" "), usual);
    hub.add_tunnel("beta", "--mtu 1400").expect(0);
    assert!(head(&hub).contains("MTU"));
    let table = hub.operator("tunnel list").expect(0).stdout;
    assert_eq!(table.lines().count(), 3, "a line each: {table}");
}

#[test]
fn a_tunnel_takes_the_lowest_free_number() {
    let hub = Hub::start(&[]);
    for (name, id) in [("a", 1), ("b", 2), ("c", 3)] {
        assert_eq!(
            hub.add_tunnel(name, "--json").expect(0).json()["tunnel"]["id"],
            id
        );
    }
    hub.operator("tunnel remove b").expect(0);
    assert_eq!(hub.add_tunnel("d", "--json").expect(0).json()["tunnel"]["id"], 2);
}

#[test]
fn operators_that_add_at_the_same_moment_get_different_numbers() {
    let hub = Hub::start(&[]);
    let ids = thread::scope(|scope| {
        let add = |number| {
            let hub = &hub;
            scope.spawn(move || {
                hub.add_tunnel(&format!("t{number}"), "--json").expect(0).json()["tunnel"]["id"].as_u64()
            })
        };
        let adding: Vec<_> = (0..8).map(add).collect();
        adding
            .into_iter()
            .map(|thread| thread.join().unwrap().unwrap())
            .collect::<BTreeSet<_>>()
    });
    assert_eq!(ids, (1..=8).collect());
}

#[test]
fn a_tunnel_is_changed_only_when_asked_to() {
    let hub = Hub::start(&[]);
    hub.add_tunnel("acme", "").expect(0);
    hub.add_tunnel("acme", "--mtu 1400")
        .expect(1)
        .complains(&["acme", "exists already", "--replace"]);
    let changed = hub
        .add_tunnel("acme", "--mtu 1400 --replace --json")
        .expect(0)
        .json();
    assert_eq!(
        (&changed["tunnel"]["id"], &changed["tunnel"]["mtu"]),
        (&json!(1), &json!(1400))
    );
}

#[test]
fn a_customer_is_redirected_until_that_is_taken_back() {
    let hub = Hub::start(&[]);
    hub.add_tunnel("acme", "").expect(0);
    let redirect = |hub: &Hub| hub.operator("tunnel list --json").expect(0).json()[0]["redirect"].clone();
    let done = hub
        .operator("tunnel redirect acme --to GW.example --json")
        .expect(0)
        .json();
    assert_eq!(done["tunnel"]["redirect"], "gw.example");
    assert_eq!(redirect(&hub), "gw.example");
    hub.operator("tunnel redirect acme --to 2001:db8::7").expect(0);
    let table = hub.operator("tunnel list").expect(0).stdout;
    assert!(table.contains("2001:db8::7"), "{table}");

    // Who changes something else brings nobody back.
    hub.add_tunnel("acme", "--mtu 1400 --replace").expect(0);
    assert_eq!(redirect(&hub), "2001:db8::7");
    hub.operator("tunnel redirect acme --off").expect(0);
    assert_eq!(redirect(&hub), json!(null));

    hub.operator("tunnel redirect acme").expect(2);
    hub.operator("tunnel redirect acme --to 10.0.0.300")
        .expect(2)
        .complains(&["neither an address nor a domain name"]);
    hub.operator("tunnel redirect other --off")
        .expect(3)
        .complains(&["no tunnel other"]);
}

#[test]
fn two_tunnels_cannot_have_one_customer_interface_or_prefix() {
    let hub = Hub::start(&[]);
    hub.add_tunnel("acme", "").expect(0);
    let prefix = prefix_behind("acme");
    let other = |remote_id: &str, more: &str| {
        let psk = hub.path("psk");
        let command = format!(
            "tunnel add other --remote-id {remote_id} --psk-file {} --local-ts 10.0.0.0/8 --remote-ts {prefix} {more}",
            psk.display()
        );
        hub.operator(command.trim_end())
    };
    other("acme.example", "")
        .expect(1)
        .complains(&["tunnel acme has the same remote identity"]);
    hub.add_tunnel("other", "--interface swan1")
        .expect(1)
        .complains(&["tunnel acme has the same interface"]);
    let reason = ["tunnel acme", prefix.as_str(), "--netns"];
    other("other.example", "").expect(1).complains(&reason);
    let listed = hub.operator("tunnel list --json").expect(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed:#}");

    other("other.example", "--netns other").expect(0);
    other("other.example", "--replace").expect(1).complains(&reason);
    hub.add_tunnel("acme", "--mtu 1400 --replace").expect(0); // It has its prefix from itself.
}

/// By the one rule that the responder finds tunnels by: else the later tunnel would take the first one's customers.
#[test]
fn an_identity_is_of_one_tunnel_however_it_is_written() {
    let hub = Hub::start(&[]);
    let psk = hub.path("psk");
    let add = |name: &str, number: usize, remote_id: &str| {
        hub.operator(&format!(
            "tunnel add {name} --remote-id {remote_id} --psk-file {} --local-ts 10.0.0.0/8 --remote-ts 192.168.{number}.0/24",
            psk.display()
        ))
    };
    for (number, (one, other)) in [
        ("a@X.example", "a@x.example"),
        ("C=CH,O=Acme,CN=cpe.example", "C=CH,O=ACME,CN=CPE.example"),
        ("keyid:00ff", "key-id:00FF"),
    ]
    .into_iter()
    .enumerate()
    {
        let first = format!("first{number}");
        add(&first, number, one).expect(0);
        add("second", 100, other)
            .expect(1)
            .complains(&[&format!("tunnel {first} has the same remote identity")]);
    }
    add("second", 100, "A@x.example").expect(0); // Only its host knows whether users have case.
}

#[test]
fn a_wrong_tunnel_is_refused_with_the_reason() {
    let hub = Hub::start(&[]);
    hub.add_tunnel("acme", "--mtu 20")
        .expect(2)
        .complains(&["mtu", "68 to 65535"]);
    hub.add_tunnel("acme", "--interface averyverylongname")
        .expect(2)
        .complains(&["15"]);
    hub.add_tunnel("acme", "--esp 3des")
        .expect(2)
        .complains(&["aes256gcm16"]);
    hub.add_tunnel("-acme", "").expect(2);
    let command =
        "tunnel add acme --remote-id a.example --psk-file - --local-ts 10.0.0.1/8 --remote-ts 192.168.0.0/24";
    hub.operator_with_input(command, PSK)
        .expect(2)
        .complains(&["local_ts", "10.0.0.0/8 would do"]);
    let wide = command.replace("10.0.0.1/8", "10.0.0.0/8[tcp/1-65534]");
    hub.operator_with_input(&wide.replace("168.0.0/24", "168.0.0/24[tcp/1-65534]"), PSK)
        .expect(2)
        .complains(&["local_ts and remote_ts", "more than 256 pairs"]);
    let command = command.replace("10.0.0.1/8", "10.0.0.0/8");
    hub.operator_with_input(&command.replace("a.example", "10.0.0.300"), PSK)
        .expect(2)
        .complains(&["10.0.0.300", "neither an address nor a name"]);
    hub.operator_with_input(&command, "short\n")
        .expect(2)
        .complains(&["5 octets", "at least 16"]);
    hub.operator_with_input(&command.replace("-file -", "-file /nowhere"), "")
        .expect(2)
        .complains(&["/nowhere"]);
    assert_eq!(hub.operator("tunnel list --json").expect(0).json(), json!([]));
}

/// The fleet's own certificates serve as a customer's.
fn by_certificates(hub: &Hub, more: &str) -> Ended {
    let path = |name: &str| hub.path(name).display().to_string();
    let command = format!(
        "tunnel add acme --remote-id C=CH,CN=acme --ca-file {} --cert-file {} --key-file {} \
         --local-ts 10.0.0.0/8 --remote-ts 192.168.0.0/24 {more}",
        path("ca.pem"),
        path("hub.pem"),
        path("hub.key")
    );
    hub.operator(command.trim_end())
}

#[test]
fn certificates_take_the_place_of_the_key() {
    let hub = Hub::start(&[]);
    by_certificates(&hub, "").expect(0);
    let listed = hub.operator("tunnel list --json").expect(0).json();
    assert_eq!(listed[0]["auth"], "certificate");
    assert_eq!(listed[0]["remote_id"], "C=CH, CN=acme");
    // The subject of the fleet's own certificate.
    assert_eq!(listed[0]["local_id"], "CN=hub");
    let table = hub.operator("tunnel list").expect(0).stdout;
    assert!(table.contains("certificate"), "{table}");

    // Back to a key, and nobody asks how it was before.
    hub.add_tunnel("acme", "--replace").expect(0);
    let listed = hub.operator("tunnel list --json").expect(0).json();
    assert_eq!(
        (&listed[0]["auth"], &listed[0]["local_id"]),
        (&json!("psk"), &json!(null))
    );
}

#[test]
fn credentials_that_cannot_work_are_refused_with_the_reason() {
    let hub = Hub::start(&[]);
    let path = |name: &str| hub.path(name).display().to_string();
    let (ca, psk) = (path("ca.pem"), path("psk"));
    for (more, reason) in [
        (format!("--psk-file {psk}"), "cannot be used with"),
        (format!("--crl-file {ca}"), "there is no CRL in PEM"),
        ("--local-id other.example".to_owned(), "not for other.example"),
    ] {
        by_certificates(&hub, &more).expect(2).complains(&[reason]);
    }
    let files = |certificate: &str, key: &str, more: &str| {
        format!(
            "tunnel add acme --remote-id acme.example --local-ts 10.0.0.0/8 --remote-ts 192.168.0.0/24 \
             --cert-file {} --key-file {} {more}",
            path(certificate),
            path(key)
        )
    };
    let with_ca = format!("--ca-file {ca}");
    for (command, reason) in [
        (files("hub.pem", "hub.key", "--esp aes128gcm16"), "--ca-file"),
        (
            files("hub.pem", "ann.key", &with_ca),
            "not that of our own certificate",
        ),
        (files("hub.pem", "hub.pem", &with_ca), "others may read"),
        (
            files("hub.key", "hub.key", &with_ca),
            "there is no certificate in PEM",
        ),
        (
            files("hub.pem", "hub.key", &with_ca).replace("acme.example", "keyid:01"),
            "no certificate can be for",
        ),
    ] {
        hub.operator(&command).expect(2).complains(&[reason]);
    }
    assert_eq!(hub.operator("tunnel list --json").expect(0).json(), json!([]));
}

/// `tunnel add` with a PPK of the given octets in a file.
fn with_ppk(hub: &Hub, key: &str, more: &str) -> Ended {
    let file = hub.path("ppk");
    write_secret(&file, key);
    hub.add_tunnel("acme", &format!("--ppk-file {} {more}", file.display()))
}

#[test]
fn a_ppk_goes_with_the_credentials() {
    const PPK: &str = "a-post-quantum-secret-of-enough-octets";
    let hub = Hub::start(&[]);
    let ended = with_ppk(&hub, PPK, "--ppk-id acme-2026 --ppk-required --json").expect(0);
    let listed = hub.operator("tunnel list --json").expect(0).json();
    assert_eq!(listed[0]["ppk"], json!({ "id": "acme-2026", "required": true }));
    let table = hub.operator("tunnel list").expect(0).stdout;
    assert!(table.contains("PPK acme-2026"), "{table}");
    for text in [ended.stdout, ended.stderr, table, listed.to_string()] {
        assert!(!text.contains(PPK), "{text}");
    }
    by_certificates(&hub, "--ppk-id x --ppk-file - --replace")
        .expect(2)
        .complains(&["0 octets", "at least 32"]);
    hub.add_tunnel("acme", "--replace").expect(0);
    let listed = hub.operator("tunnel list --json").expect(0).json();
    assert_eq!(listed[0]["ppk"], json!(null));
}

#[test]
fn a_ppk_that_cannot_work_is_refused_with_the_reason() {
    const ENOUGH: &str = "0123456789abcdef0123456789abcdef";
    let hub = Hub::start(&[]);
    for (key, more, reason) in [
        (ENOUGH, "", "--ppk-id"),
        (ENOUGH, "--ppk-id a\u{e9}", "printable"),
        ("too-short", "--ppk-id x", "at least 32"),
    ] {
        with_ppk(&hub, key, more).expect(2).complains(&[reason]);
    }
    for (more, reason) in [("--ppk-id x", "--ppk-file"), ("--ppk-required", "--ppk-file")] {
        hub.add_tunnel("acme", more).expect(2).complains(&[reason]);
    }
    // One secret is not two, and standard input holds one.
    write_secret(&hub.path("psk"), ENOUGH);
    with_ppk(&hub, ENOUGH, "--ppk-id x")
        .expect(2)
        .complains(&["has to be another"]);
    let both = "tunnel add acme --remote-id a.example --local-ts 10.0.0.0/8 --remote-ts 192.168.0.0/24 \
                --psk-file - --ppk-file - --ppk-id x";
    hub.operator_with_input(both, ENOUGH)
        .expect(2)
        .complains(&["standard input"]);
    assert_eq!(hub.operator("tunnel list --json").expect(0).json(), json!([]));
}
