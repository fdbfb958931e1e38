//! How long the agent takes to bring many SAs into the kernel, and how long `ip -batch` takes for the same ones.
//!
//! Needs root and a kernel with ESP: the lab's guest. Not for a machine with an edge on it, whose SAs it would take for
//! unwanted ones. Writes a JSON object a line, one for each load and round; `interop/bench` makes a table of them.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use ipnet::IpNet;
use xfrm::{Agent, Algorithm, Change, Child, Cipher, Failure, PortMask, Selector, Tunnel, TunnelId};

const TUNNEL: TunnelId = TunnelId(1);
const LOCAL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// Octets of an AES-256 key and its salt.
const KEY_LEN: usize = 36;
/// Of an SA, in seconds; nothing here takes as long.
const LIFETIME: u64 = 3600;
/// What the agent gives policies between two single hosts.
const PRIORITY: u32 = 15_904;

const CHILDREN: u16 = 1000;

/// Both take turns this often; who goes first changes, since the kernel's tables grow in the first turn only.
const ROUNDS: usize = 6;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What is installed for each child.
#[derive(Clone, Copy)]
enum Load {
    /// Its two SAs.
    Sas,
    /// And its three policies, as for a customer.
    SasAndPolicies,
}

/// How long a turn took, and what the kernel held behind it.
struct Turn {
    time: Duration,
    installed: Vec<String>,
}

fn main() -> Outcome<()> {
    let mut agent = Agent::open()?;
    check(&agent.apply(vec![Change::PutTunnel(TUNNEL, tunnel()?)]))?;
    // The first one makes the kernel load its modules.
    agent_turn(&mut agent, &[child(0, Load::SasAndPolicies)])?;
    for round in 0..ROUNDS {
        for load in [Load::Sas, Load::SasAndPolicies] {
            let children: Vec<_> = (0..CHILDREN).map(|number| child(number, load)).collect();
            let (by_agent, by_ip);
            if round.is_multiple_of(2) {
                by_agent = agent_turn(&mut agent, &children)?;
                by_ip = ip_turn(&mut agent, &children)?;
            } else {
                by_ip = ip_turn(&mut agent, &children)?;
                by_agent = agent_turn(&mut agent, &children)?;
            }
            if by_agent.installed != by_ip.installed {
                return Err("the agent and ip did not install the same".into());
            }
            println!(
                r#"{{"load":"{}","sas":{},"agent_s":{:.6},"ip_batch_s":{:.6}}}"#,
                load.name(),
                2 * CHILDREN,
                by_agent.time.as_secs_f64(),
                by_ip.time.as_secs_f64()
            );
        }
    }
    check(&agent.apply(vec![Change::RemoveTunnel(TUNNEL)]))
}

impl Load {
    fn name(self) -> &'static str {
        match self {
            Self::Sas => "SAs",
            Self::SasAndPolicies => "SAs and policies",
        }
    }
}

/// The agent has been told to want the children; then not to.
fn agent_turn(agent: &mut Agent, children: &[Child]) -> Outcome<Turn> {
    let puts = children.iter().cloned().map(Change::PutChild).collect();
    let start = Instant::now();
    let failures = agent.apply(puts);
    let time = start.elapsed();
    check(&failures)?;
    let installed = installed()?;
    let removals = children
        .iter()
        .map(|child| Change::RemoveChild(child.inbound_spi));
    check(&agent.apply(removals.collect()))?;
    Ok(Turn { time, installed })
}

/// What `ip` installed carries the agent's marks and is not wanted, so that the agent removes it.
fn ip_turn(agent: &mut Agent, children: &[Child]) -> Outcome<Turn> {
    let file = std::env::temp_dir().join("install.batch");
    fs::write(&file, batch(children)?)?;
    let start = Instant::now();
    ip(&["-batch", &file.to_string_lossy()])?;
    let time = start.elapsed();
    let installed = installed()?;
    check(&agent.reconcile().failures)?;
    Ok(Turn { time, installed })
}

fn check(failures: &[Failure]) -> Outcome<()> {
    failures
        .first()
        .map_or(Ok(()), |failure| Err(failure.text.clone().into()))
}

/// The kernel's SAs and policies as `ip` shows them, each in one line, in a fixed order.
fn installed() -> Outcome<Vec<String>> {
    let mut objects = Vec::new();
    for table in ["state", "policy"] {
        let text = ip(&["xfrm", table])?.replace("\n\t", " ");
        objects.extend(text.lines().map(str::to_owned));
    }
    objects.sort_unstable();
    Ok(objects)
}

fn ip(arguments: &[&str]) -> Outcome<String> {
    let output = Command::new("ip").args(arguments).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("ip {}: {said}", arguments.join(" ")).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn tunnel() -> Outcome<Tunnel> {
    Ok(Tunnel {
        interface: "ipsec0".into(),
        netns: None,
        mtu: None,
        routes: vec!["10.2.0.0/16".parse()?],
        rekey_bytes: None,
    })
}

/// One of many with the same peer, each for one host behind it.
fn child(number: u16, load: Load) -> Child {
    let [high, low] = number.to_be_bytes();
    let selector = Selector {
        local: host([10, 1, 0, 0]),
        remote: host([10, 2, high, low]),
        protocol: 0,
        local_ports: PortMask::default(),
        remote_ports: PortMask::default(),
    };
    Child {
        tunnel: TUNNEL,
        inbound_spi: 0x0040_0000 + u32::from(number),
        outbound_spi: 0x8000_0000 + u32::from(number),
        local: LOCAL.into(),
        peer: PEER.into(),
        encap: None,
        inbound: cipher(low),
        outbound: cipher(!low),
        selectors: match load {
            Load::Sas => vec![],
            Load::SasAndPolicies => vec![selector],
        },
        precedence: 1,
        created: SystemTime::UNIX_EPOCH,
        report_use: false,
        expires: SystemTime::now() + Duration::from_secs(LIFETIME),
        packet_limit: None,
    }
}

fn host(address: [u8; 4]) -> IpNet {
    IpNet::from(IpAddr::from(address))
}

fn cipher(fill: u8) -> Cipher {
    Cipher::Aead {
        algorithm: Algorithm::new("rfc4106(gcm(aes))", &[fill; KEY_LEN]),
        icv_bits: 128,
    }
}

/// The children for `ip -batch`, with everything that the agent sets.
fn batch(children: &[Child]) -> Result<String, std::fmt::Error> {
    let (mark, mut text) = (TUNNEL.if_id(), String::new());
    for child in children {
        for (source, destination, spi, cipher) in [
            (child.peer, child.local, child.inbound_spi, &child.inbound),
            (child.local, child.peer, child.outbound_spi, &child.outbound),
        ] {
            let Cipher::Aead { algorithm, icv_bits } = cipher else {
                continue;
            };
            write!(
                text,
                "xfrm state add src {source} dst {destination} proto esp spi {spi} reqid {mark} mode tunnel "
            )?;
            write!(
                text,
                "replay-window 0 flag af-unspec if_id {mark} limit time-hard {LIFETIME} aead {} 0x",
                algorithm.name
            )?;
            algorithm
                .key
                .iter()
                .try_for_each(|octet| write!(text, "{octet:02x}"))?;
            writeln!(text, " {icv_bits}")?;
        }
        for Selector { local, remote, .. } in &child.selectors {
            let (ours, theirs) = (child.local, child.peer);
            for (direction, from, to, source, destination, spi) in [
                ("in", remote, local, theirs, ours, 0),
                ("fwd", remote, local, theirs, ours, 0),
                ("out", local, remote, ours, theirs, child.outbound_spi),
            ] {
                write!(
                    text,
                    "xfrm policy update src {from} dst {to} dir {direction} priority {PRIORITY} if_id {mark} "
                )?;
                writeln!(
                    text,
                    "tmpl src {source} dst {destination} proto esp spi {spi} reqid {mark} mode tunnel"
                )?;
            }
        }
    }
    Ok(text)
}
