//! An edge and a peer, a network namespace each, joined by a cable; the peer is set up with `ip xfrm`.

use std::net::IpAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::AsFd;
use xfrm::{Agent, Child, Cipher, Selector, Tunnel, TunnelId, Wanted};
use zeroize::Zeroizing;

pub(crate) const TUNNEL: TunnelId = TunnelId(7);
pub(crate) const INBOUND_SPI: u32 = 0x0040_0001;
pub(crate) const OUTBOUND_SPI: u32 = 0xc0ff_ee01;
const ALGORITHM: &str = "rfc4106(gcm(aes))";

/// Namespaces of one test, removed with it.
pub(crate) struct World {
    name: &'static str,
    others: Vec<String>,
}

impl World {
    /// Runs a test in the edge's namespace of a new world.
    pub(crate) fn run(name: &'static str, test: impl FnOnce(&mut World) + Send) {
        let mut world = World {
            name,
            others: Vec::new(),
        };
        thread::scope(|scope| {
            let run = || {
                world.build();
                enter(&world.edge());
                test(&mut world);
            };
            if let Err(panic) = scope.spawn(run).join() {
                std::panic::resume_unwind(panic);
            }
        });
    }

    fn build(&self) {
        let (edge, peer) = (self.edge(), self.peer());
        for netns in [&edge, &peer] {
            ip(&format!("netns add {netns}"));
            ip(&format!("-n {netns} link set lo up"));
        }
        ip(&format!(
            "-n {edge} link add wire type veth peer name wire netns {peer}"
        ));
        for (netns, host) in [(&edge, 1), (&peer, 2)] {
            ip(&format!("-n {netns} address add 192.0.2.{host}/24 dev wire"));
            ip(&format!(
                "-n {netns} address add 2001:db8::{host}/64 dev wire nodad"
            ));
            ip(&format!("-n {netns} link set wire up"));
            ip(&format!("-n {netns} address add 10.{host}.0.1/32 dev lo"));
            ip(&format!("-n {netns} address add fd00:{host}::1/128 dev lo"));
        }
    }

    pub(crate) fn edge(&self) -> String {
        format!("{}-edge", self.name)
    }

    pub(crate) fn peer(&self) -> String {
        format!("{}-peer", self.name)
    }

    /// A further namespace.
    pub(crate) fn add_netns(&mut self, suffix: &str) -> String {
        let name = format!("{}-{suffix}", self.name);
        ip(&format!("netns add {name}"));
        ip(&format!("-n {name} link set lo up"));
        self.others.push(name.clone());
        name
    }

    /// Gives the peer the SAs, policies and routes that face those of `child`.
    pub(crate) fn set_up_peer(&self, child: &Child) {
        let peer = self.peer();
        let (us, them) = (child.local, child.peer);
        for (from, to, spi, cipher) in [
            (them, us, child.inbound_spi, &child.inbound),
            (us, them, child.outbound_spi, &child.outbound),
        ] {
            let Cipher::Aead { name, key, icv_bits } = cipher;
            let key: String = key.iter().map(|octet| format!("{octet:02x}")).collect();
            let encap = child.encap.map_or_else(String::new, |ports| {
                let (source, destination) = if from == them {
                    (ports.peer_port, ports.local_port)
                } else {
                    (ports.local_port, ports.peer_port)
                };
                format!("encap espinudp {source} {destination} 0.0.0.0")
            });
            ip(&format!(
                "-n {peer} xfrm state add src {from} dst {to} proto esp spi {spi:#x} reqid 1 mode tunnel \
                 replay-window 0 flag af-unspec aead {name} 0x{key} {icv_bits} {encap}"
            ));
        }
        for selector in &child.selectors {
            let (ours, theirs) = (selector.local, selector.remote);
            for (direction, source, destination, from, to) in [
                ("out", theirs, ours, them, us),
                ("in", ours, theirs, us, them),
                ("fwd", ours, theirs, us, them),
            ] {
                ip(&format!(
                    "-n {peer} xfrm policy update src {source} dst {destination} dir {direction} \
                     tmpl src {from} dst {to} proto esp reqid 1 mode tunnel"
                ));
            }
            let source = if ours.addr().is_ipv4() {
                "10.2.0.1"
            } else {
                "fd00:2::1"
            };
            ip(&format!("-n {peer} route replace {ours} dev wire src {source}"));
        }
    }

    /// Sends `count` pings from the peer through the tunnel. Returns how many were answered.
    pub(crate) fn ping(&self, destination: &str, count: u32) -> u32 {
        let source = if destination.contains(':') {
            "fd00:2::1"
        } else {
            "10.2.0.1"
        };
        let output = Command::new("ip")
            .args(["netns", "exec", &self.peer(), "ping", "-i", "0.02", "-W", "1"])
            .args(["-c", &count.to_string(), "-I", source, destination])
            .output()
            .expect("ping runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let received = text.split(", ").find_map(|part| part.strip_suffix(" received"));
        received
            .unwrap_or_else(|| panic!("ping said {text}"))
            .parse()
            .expect("a number")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for name in self.others.iter().chain([&self.edge(), &self.peer()]) {
            let _ = Command::new("ip").args(["netns", "delete", name]).status();
        }
    }
}

/// Moves the calling thread, and what it starts, into a named namespace.
fn enter(name: &str) {
    let netns = std::fs::File::open(format!("/run/netns/{name}")).expect("the namespace is there");
    move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may enter it");
}

/// Runs `ip` where the test is; returns what it prints.
pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("ip runs");
    assert!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn agent() -> Agent {
    Agent::open().expect("root opens netlink sockets")
}

/// A tunnel whose customer has 10.2.0.0/16 and fd00:2::/32.
pub(crate) fn tunnel() -> Tunnel {
    Tunnel {
        interface: "ipsec0".into(),
        netns: None,
        mtu: Some(1400),
        routes: ["10.2.0.0/16", "fd00:2::/32"].map(prefix).to_vec(),
    }
}

/// A child between the two ends of the cable, for both families.
pub(crate) fn child() -> Child {
    Child {
        tunnel: TUNNEL,
        inbound_spi: INBOUND_SPI,
        outbound_spi: OUTBOUND_SPI,
        local: address("192.0.2.1"),
        peer: address("192.0.2.2"),
        encap: None,
        inbound: cipher(1),
        outbound: cipher(2),
        selectors: vec![
            selector("10.1.0.0/16", "10.2.0.0/16"),
            selector("fd00:1::/32", "fd00:2::/32"),
        ],
        precedence: 1,
        expires: in_seconds(600),
        packet_limit: Some(1 << 30),
    }
}

pub(crate) fn cipher(fill: u8) -> Cipher {
    Cipher::Aead {
        name: ALGORITHM.into(),
        key: Zeroizing::new(vec![fill; 20]),
        icv_bits: 128,
    }
}

pub(crate) fn selector(local: &str, remote: &str) -> Selector {
    Selector {
        local: prefix(local),
        remote: prefix(remote),
        protocol: 0,
        local_port: None,
        remote_port: None,
    }
}

pub(crate) fn wanted(
    tunnels: impl IntoIterator<Item = (TunnelId, Tunnel)>,
    children: impl IntoIterator<Item = Child>,
) -> Wanted {
    Wanted {
        tunnels: tunnels.into_iter().collect(),
        children: children
            .into_iter()
            .map(|child| (child.inbound_spi, child))
            .collect(),
    }
}

pub(crate) fn in_seconds(seconds: u64) -> SystemTime {
    SystemTime::now() + Duration::from_secs(seconds)
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(crate) fn prefix(text: &str) -> ipnet::IpNet {
    text.parse().expect("a prefix")
}
