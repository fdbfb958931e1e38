//! An edge and its peers, a network namespace each, joined by cables.

use std::fs::File;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use xfrm::{Agent, Algorithm, Change, Child, Cipher, PortMask, Selector, Tunnel, TunnelId, Wanted};

pub(crate) const TUNNEL: TunnelId = TunnelId(7);
pub(crate) const INBOUND_SPI: u32 = 0x0040_0001;
pub(crate) const OUTBOUND_SPI: u32 = 0xc0ff_ee01;
const ALGORITHM: &str = "rfc4106(gcm(aes))";

/// What lies behind the peer, in the prefixes of [`tunnel`].
const INNER_V4: &str = "10.2.0.1";
const INNER_V6: &str = "fd00:2::1";

/// The edge's namespace, and others of one test, removed with it.
pub(crate) struct World {
    name: &'static str,
    others: Vec<String>,
}

impl World {
    /// Runs a test in the edge's namespace of a new world. `name` is unique among tests, which run at the same time.
    pub(crate) fn run(name: &'static str, test: impl FnOnce(&mut World) + Send) {
        let mut world = World {
            name,
            others: Vec::new(),
        };
        thread::scope(|scope| {
            let run = || {
                add_netns(&world.edge());
                enter(&world.edge());
                give_inner_addresses(&world.edge(), 1);
                test(&mut world);
            };
            if let Err(panic) = scope.spawn(run).join() {
                std::panic::resume_unwind(panic);
            }
        });
    }

    pub(crate) fn edge(&self) -> String {
        format!("{}-edge", self.name)
    }

    /// A further namespace.
    pub(crate) fn add_netns(&mut self, suffix: &str) -> String {
        let name = format!("{}-{suffix}", self.name);
        add_netns(&name);
        self.others.push(name.clone());
        name
    }

    /// The customer number `number` at the other end of a cable of its own: 198.18.N.2 there, 198.18.N.1 here, and
    /// 2001:db8:N::2 and ::1.
    pub(crate) fn add_peer(&mut self, number: u8) -> Peer {
        let netns = self.add_netns(&format!("peer{number}"));
        let wire = format!("wire{number}");
        ip(&format!("link add {wire} type veth peer name wire netns {netns}"));
        for (netns, wire, host) in [(&self.edge(), wire.as_str(), 1), (&netns, "wire", 2)] {
            ip(&format!(
                "-n {netns} address add 198.18.{number}.{host}/24 dev {wire}"
            ));
            ip(&format!(
                "-n {netns} address add 2001:db8:{number}::{host}/64 dev {wire} nodad"
            ));
            ip(&format!("-n {netns} link set {wire} up"));
        }
        give_inner_addresses(&netns, 2);
        Peer { netns }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for name in self.others.iter().chain([&self.edge()]) {
            let _ = Command::new("ip").args(["netns", "delete", name]).status();
        }
    }
}

/// A customer's router, set up with `ip xfrm`.
pub(crate) struct Peer {
    netns: String,
}

impl Peer {
    /// Faces a child: its SAs, policies and routes, the other way round.
    pub(crate) fn face(&self, child: &Child) {
        self.add_sa(child.peer, child.local, child.inbound_spi, &child.inbound);
        self.add_sa(child.local, child.peer, child.outbound_spi, &child.outbound);
        for selector in &child.selectors {
            self.add_policies(child, *selector);
            let source = if selector.local.addr().is_ipv4() {
                INNER_V4
            } else {
                INNER_V6
            };
            ip(&format!(
                "-n {} route replace {} dev wire src {source}",
                self.netns, selector.local
            ));
        }
    }

    /// Drops its SAs and policies.
    pub(crate) fn forget_all(&self) {
        ip(&format!("-n {} xfrm state flush", self.netns));
        ip(&format!("-n {} xfrm policy flush", self.netns));
    }

    pub(crate) fn add_sa(&self, source: IpAddr, destination: IpAddr, spi: u32, cipher: &Cipher) {
        let cipher = match cipher {
            Cipher::Aead { algorithm, icv_bits } => format!("aead {} {icv_bits}", for_ip(algorithm)),
            Cipher::EncryptThenMac {
                encryption,
                integrity,
                icv_bits,
            } => format!(
                "enc {} auth-trunc {} {icv_bits}",
                for_ip(encryption),
                for_ip(integrity)
            ),
        };
        ip(&format!(
            "-n {} xfrm state add src {source} dst {destination} proto esp spi {spi:#x} reqid 1 mode tunnel \
             replay-window 0 flag af-unspec {cipher}",
            self.netns
        ));
    }

    fn add_policies(&self, child: &Child, selector: Selector) {
        let (ours, theirs) = (selector.local, selector.remote);
        for direction in ["out", "in", "fwd"] {
            let (source, destination, from, to) = match direction {
                "out" => (theirs, ours, child.peer, child.local),
                _ => (ours, theirs, child.local, child.peer),
            };
            ip(&format!(
                "-n {} xfrm policy update src {source} dst {destination} dir {direction} \
                 tmpl src {from} dst {to} proto esp reqid 1 mode tunnel",
                self.netns
            ));
        }
    }

    /// Sends `count` pings through the tunnel, 50 in a second. Returns how many were answered.
    pub(crate) fn ping(&self, destination: &str, count: u32) -> u32 {
        let source = if destination.contains(':') {
            INNER_V6
        } else {
            INNER_V4
        };
        let output = Command::new("ip")
            .args([
                "netns",
                "exec",
                &self.netns,
                "ping",
                "-q",
                "-i",
                "0.02",
                "-W",
                "1",
            ])
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

fn add_netns(name: &str) {
    ip(&format!("netns add {name}"));
    ip(&format!("-n {name} link set lo up"));
}

fn give_inner_addresses(netns: &str, side: u8) {
    ip(&format!("-n {netns} address add 10.{side}.0.1/32 dev lo"));
    ip(&format!("-n {netns} address add fd00:{side}::1/128 dev lo"));
}

/// Moves the calling thread, and what it starts, into a named namespace.
fn enter(name: &str) {
    let netns = File::open(format!("/run/netns/{name}")).expect("the namespace is there");
    move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may enter it");
}

/// Runs `ip` where the test is; returns what it prints.
pub(crate) fn ip(arguments: &str) -> String {
    // The key of a cipher that has none is a word as well.
    let words = arguments
        .split_whitespace()
        .map(|word| if word == "\"\"" { "" } else { word });
    let output = Command::new("ip").args(words).output().expect("ip runs");
    assert!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn open_agent() -> Agent {
    Agent::open().expect("root opens netlink sockets")
}

/// An agent that has installed one tunnel with one child.
pub(crate) fn agent_with(child: Child) -> Agent {
    let mut agent = open_agent();
    assert_eq!(
        agent.apply(vec![
            Change::PutTunnel(TUNNEL, plain_tunnel()),
            Change::PutChild(child)
        ]),
        []
    );
    agent
}

/// A tunnel whose customer has 10.2.0.0/16 and fd00:2::/32.
pub(crate) fn plain_tunnel() -> Tunnel {
    Tunnel {
        interface: "ipsec0".into(),
        netns: None,
        mtu: Some(1400),
        routes: ["10.2.0.0/16", "fd00:2::/32"].map(prefix).to_vec(),
        rekey_bytes: None,
    }
}

/// A child with peer number 1, for both families.
pub(crate) fn plain_child() -> Child {
    Child {
        tunnel: TUNNEL,
        inbound_spi: INBOUND_SPI,
        outbound_spi: OUTBOUND_SPI,
        local: address("198.18.1.1"),
        peer: address("198.18.1.2"),
        encap: None,
        inbound: cipher(1),
        outbound: cipher(2),
        selectors: vec![
            selector("10.1.0.0/16", "10.2.0.0/16"),
            selector("fd00:1::/32", "fd00:2::/32"),
        ],
        precedence: 1,
        created: SystemTime::UNIX_EPOCH,
        report_use: false,
        expires: in_seconds(600),
        packet_limit: Some(1 << 30),
    }
}

pub(crate) fn cipher(fill: u8) -> Cipher {
    Cipher::Aead {
        algorithm: Algorithm::new(ALGORITHM, &[fill; 20]),
        icv_bits: 128,
    }
}

/// As `ip xfrm` takes it.
fn for_ip(Algorithm { name, key }: &Algorithm) -> String {
    let key: String = key.iter().map(|octet| format!("{octet:02x}")).collect();
    match key.is_empty() {
        true => format!("{name} \"\""),
        false => format!("{name} 0x{key}"),
    }
}

pub(crate) fn selector(local: &str, remote: &str) -> Selector {
    Selector {
        local: prefix(local),
        remote: prefix(remote),
        protocol: 0,
        local_ports: PortMask::default(),
        remote_ports: PortMask::default(),
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

/// The counters of an SA as the kernel shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) packets: u64,
    /// The last sequence number sent.
    pub(crate) sequence: u64,
    /// Its age at the end of its life, in seconds.
    pub(crate) lifetime: u64,
}

/// `None` when there is no such SA where the test is.
pub(crate) fn counters(spi: u32) -> Option<Counters> {
    let text = ip(&format!("-s xfrm state list spi {spi:#x}"));
    if text.trim().is_empty() {
        return None;
    }
    let after = |mark: &str| {
        text.split(mark)
            .nth(1)
            .unwrap_or_else(|| panic!("no {mark:?} in {text}"))
    };
    let number = |text: &str| {
        text.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse()
    };
    let oseq = after("oseq 0x")
        .chars()
        .take_while(char::is_ascii_hexdigit)
        .collect::<String>();
    let current = after("lifetime current:")
        .split("(bytes), ")
        .nth(1)
        .expect("bytes and packets");
    Some(Counters {
        packets: number(current).expect("packets"),
        sequence: u64::from_str_radix(&oseq, 16).expect("a sequence number"),
        lifetime: number(after("expire add: soft 0(sec), hard ")).expect("a lifetime"),
    })
}
