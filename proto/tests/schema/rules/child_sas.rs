//! Rules of child SAs.

use proto::*;

use super::Rules;

fn rules() -> Rules<v1::ChildSa> {
    let ike = testkit::ike_sa(testkit::slot(1), 2);
    Rules::of(v1::ChildSa::from(&testkit::child_sa(&ike, 5)))
}

fn endpoint(address: &[u8], port: u32) -> Option<v1::Endpoint> {
    Some(v1::Endpoint {
        address: address.to_vec(),
        port,
    })
}

#[test]
fn of_names() {
    rules()
        .rule(
            "an inbound SPI has a slot",
            |c| c.inbound_spi = 0x3f_ffff,
            "inbound_spi: 0x003fffff has no slot in its high ten bits",
        )
        .rule(
            "an outbound SPI is not reserved",
            |c| c.outbound_spi = 255,
            "outbound_spi: 255 is an SPI that RFC 4303 reserves (below 256)",
        )
        .rule(
            "the peer's IKE SPI is not 0",
            |c| c.ike_initiator_spi = 0,
            "ike_initiator_spi: 0 is not the SPI of an established IKE SA",
        )
        .rule(
            "the fleet's IKE SPI is not 0",
            |c| c.ike_responder_spi = 0,
            "ike_responder_spi: 0 is not the SPI of an established IKE SA",
        )
        .rule(
            "a tunnel has a name",
            |c| c.tunnel.clear(),
            r#"tunnel.name: "" is not 1 to 63 letters, digits, '.', '_', '-', a letter or digit first"#,
        )
        .rule(
            "a suite is known",
            |c| c.suite = "null".into(),
            "suite: \"null\" is not one of aes256gcm16, aes128gcm16, chacha20poly1305, aes256-sha256, aes256-sha384, \
             aes256-sha512, aes128-sha256, aes128-sha384, aes128-sha512, null-sha256, null-sha384, null-sha512",
        )
        .check::<ChildSa>();
}

#[test]
fn of_paths() {
    rules()
        .rule(
            "a path has two ends",
            |c| c.local = None,
            "local: nothing where a value is needed",
        )
        .rule(
            "a port has 16 bits",
            |c| c.peer = endpoint(&[198, 51, 100, 1], 70_000),
            "peer.port: 70000 is not a port (0 to 65535)",
        )
        .rule(
            "a port is not 0",
            |c| c.peer = endpoint(&[198, 51, 100, 1], 0),
            "peer.port: 0 is not a port to send to",
        )
        .rule(
            "an address is not unspecified",
            |c| c.peer = endpoint(&[0; 4], 500),
            "peer.address: 0.0.0.0 is not one host's address",
        )
        .rule(
            "an address is not multicast",
            |c| c.peer = endpoint(&[224, 0, 0, 1], 500),
            "peer.address: 224.0.0.1 is not one host's address",
        )
        .rule(
            "both ends are of one family",
            |c| c.peer = endpoint(&[1; 16], 500),
            "peer: [101:101:101:101:101:101:101:101]:500 is not of the family of local, 203.0.113.1:500",
        )
        .check::<ChildSa>();
}

#[test]
fn of_selectors() {
    rules()
        .rule(
            "there is a selector",
            |c| c.remote_ts.clear(),
            "remote_ts: nothing where a value is needed",
        )
        .rule(
            "a protocol has 8 bits",
            |c| c.local_ts[0].protocol = 256,
            "local_ts[0].protocol: 256 is not an IP protocol (0 to 255)",
        )
        .rule(
            "a port has 16 bits",
            |c| c.local_ts[0].first_port = 65_536,
            "local_ts[0].first_port: 65536 is not a port (0 to 65535)",
        )
        .rule(
            "a range of ports is not empty",
            |c| (c.local_ts[0].first_port, c.local_ts[0].last_port) = (2, 1),
            "local_ts[0].last_port: 1 is before the first port, 2",
        )
        .rule(
            "a range of addresses is not empty",
            |c| c.local_ts[0].last_address = vec![10, 0, 0, 0],
            "local_ts[0].last_address: 10.0.0.0 is before the first address, 10.1.0.0",
        )
        .rule(
            "a range of addresses is of one family",
            |c| c.local_ts[0].last_address = vec![0xff; 16],
            "local_ts[0].last_address: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff is not of the family of the first, \
             10.1.0.0",
        )
        .rule(
            "selectors are not many",
            |c| c.local_ts = vec![c.local_ts[0].clone(); 256],
            "local_ts: 256 items are more than 255",
        )
        .check::<ChildSa>();
}

#[test]
fn of_times() {
    rules()
        .rule(
            "a child SA ends after it begins",
            |c| c.expires_unix_ms = 1,
            "expires_unix_ms: 1 is not after created_unix_ms",
        )
        .rule(
            "a moment is not after the year 9999",
            |c| c.expires_unix_ms = u64::MAX,
            "expires_unix_ms: 18446744073709551615 is a moment after the year 9999",
        )
        .check::<ChildSa>();
}
