//! Tests that need no kernel; those that do are in tests/kernel.

mod codec;
mod desired;
mod diff;
mod events;
mod hostile;
mod model;

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipnet::IpNet;

use crate::intent::desired::Desired;
use crate::intent::outbound::OutboundHolders;
use crate::objects::Objects;
use crate::{Algorithm, Child, Cipher, PortMask, Selector, Tunnel, TunnelId};

const TUNNEL: TunnelId = TunnelId(7);
/// When these tests take place, in seconds of Unix time.
const NOW: u64 = 1_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn tunnel() -> Tunnel {
    Tunnel {
        interface: "ipsec0".into(),
        netns: None,
        mtu: None,
        routes: vec![prefix("10.2.0.0/16")],
        rekey_bytes: None,
    }
}

fn child() -> Child {
    Child {
        tunnel: TUNNEL,
        inbound_spi: 0x0040_0001,
        outbound_spi: 0xc0ff_ee01,
        local: address("192.0.2.1"),
        peer: address("198.51.100.1"),
        encap: None,
        inbound: cipher(1),
        outbound: cipher(2),
        selectors: vec![selector("10.1.0.0/16", "10.2.0.0/16")],
        precedence: 1,
        created: at(NOW - 1),
        report_use: false,
        expires: at(NOW + 600),
        packet_limit: Some(1000),
    }
}

fn cipher(fill: u8) -> Cipher {
    Cipher::Aead {
        algorithm: Algorithm::new("rfc4106(gcm(aes))", &[fill; 20]),
        icv_bits: 128,
    }
}

fn selector(local: &str, remote: &str) -> Selector {
    Selector {
        local: prefix(local),
        remote: prefix(remote),
        protocol: 0,
        local_ports: PortMask::default(),
        remote_ports: PortMask::default(),
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn prefix(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// What one tunnel with some children asks for.
fn desired(tunnel: &Tunnel, children: &[Child]) -> Desired {
    let mut holders = OutboundHolders::default();
    for child in children {
        holders.add(child);
    }
    let mut desired = Desired::default();
    desired.add_tunnel(TUNNEL, tunnel);
    desired.add_children(tunnel, children, &holders, &Default::default(), at(NOW));
    desired
}

fn objects(tunnel: &Tunnel, children: &[Child]) -> Objects {
    desired(tunnel, children).objects
}
