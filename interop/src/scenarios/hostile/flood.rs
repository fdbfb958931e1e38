//! A flood of IKE_SA_INIT requests from addresses that are not the sender's.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::guest::host::namespace::Namespace;
use crate::guest::host::process;
use crate::guest::network::{Outer, Plan};
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::traffic::noise::Noise;
use crate::guest::watch::packet::Ike;
use crate::report::Reporter;
use crate::scenarios::{Scenario, traffic};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "flood",
    claim: "100,000 forged IKE_SA_INITs leave an edge's memory flat, cost hardly a key exchange, and keep no customer out",
    limit: Duration::from_secs(600),
    run,
};

const REQUESTS: u32 = 100_000;

/// So many come from one address; then it is the next one's turn.
const FROM_EACH: u32 = 10;

/// Addresses that nobody has, and that the attacker takes for its own.
const FORGED: &str = "100.64.0.0/10";
const FIRST_FORGED: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 0);

/// Half-open IKE SAs from which on an edge asks for cookies, and how long one lasts: an edge's defaults.
const THRESHOLD: u64 = 500;
const HALF_OPEN: Duration = Duration::from_secs(30);

/// Replies to the customer, which may have to ask again for one that it has had.
const CUSTOMERS: u64 = 6;

/// KiB by which an edge's memory may grow: that of the half-open IKE SAs below the threshold, and some.
const MARGIN: u64 = 4096;

fn run(reporter: &mut Reporter) -> Result<()> {
    let mut stage = Stage::set(Plan::default())?;
    // What the flood looks like is counted by the kernel, not captured.
    stage.at_edges.clear();
    let edge = stage.network.edges[0].clone();
    let attacker = attacker(&stage)?;
    count(&edge)?;
    let (tunnel, charon) = stage.order(0, Outer::V4)?;
    let process = stage.fleet.edges[0].daemon()?.id();
    let before = peak(process)?;

    let begun = Instant::now();
    let is_in = Arc::new(AtomicBool::new(false));
    let flood = start(&attacker, Arc::clone(&is_in))?;
    while counted(&edge, "cookies")? == 0 {
        ensure!(begun.elapsed() < LIMIT, "no cookie is asked for");
    }
    charon.initiate(&tunnel.name, LIMIT)?;
    let came_in = begun.elapsed();
    is_in.store(true, Ordering::Relaxed);
    flood.join().map_err(|_| anyhow!("the flood panicked"))??;
    let lasted = begun.elapsed();

    stage.shared_spi(Outer::V4.anycast())?;
    traffic::some_gets_through(&stage.network.customers[0])?;
    stage.at_customers[0].wait(LIMIT, |packet| {
        packet.ike(Ike::SA_INIT, true).is_some_and(is_notify)
    })?;
    reporter.measured(format!(
        "the customer, asked for a cookie like everybody, came in after {:.1} s of {:.1} s",
        came_in.as_secs_f64(),
        lasted.as_secs_f64()
    ));

    let (asked, cookies) = (counted(&edge, "asked")?, counted(&edge, "cookies")?);
    let exchanges = counted(&edge, "exchanges")?;
    let lives = 1 + lasted.as_secs() / HALF_OPEN.as_secs();
    ensure!(
        exchanges <= THRESHOLD * lives + CUSTOMERS,
        "{exchanges} key exchanges"
    );
    // An emulated edge does not keep pace; what its socket had no room for, its kernel has dropped.
    ensure!(cookies > 10 * THRESHOLD, "{cookies} cookies for {asked} requests");
    reporter.measured(format!(
        "{asked} requests arrived: {cookies} were answered with a cookie, {exchanges} with a key exchange, none else"
    ));

    let after = peak(process)?;
    ensure!(
        after <= before + MARGIN,
        "memory rose from {before} KiB to {after} KiB"
    );
    reporter.measured(format!(
        "an edge's memory at most {after} KiB, before the flood {before} KiB"
    ));
    Ok(())
}

/// A host on the internet that takes what is forged for its own addresses; answers go nowhere.
fn attacker(stage: &Stage) -> Result<Namespace> {
    let attacker = Namespace::new("attacker")?;
    stage.network.net.link("a", &attacker, "up")?;
    stage.network.net.ip(&format!(
        "address add 192.0.2.253/30 dev a
         route add blackhole {FORGED}"
    ))?;
    attacker.ip(&format!(
        "address add 192.0.2.254/30 dev up
         route add default via 192.0.2.253
         route add local {FORGED} dev lo"
    ))?;
    Ok(attacker)
}

/// Has the edge's kernel count requests, and replies by their length in UDP: a cookie's 61 octets, or those of an
/// IKE_SA_INIT with a public value.
fn count(edge: &Namespace) -> Result<()> {
    edge.nft(
        "table inet flood {
           counter asked {}
           counter cookies {}
           counter exchanges {}
           chain input {
             type filter hook input priority filter
             udp dport 500 counter name asked
           }
           chain output {
             type filter hook output priority filter
             udp sport 500 udp length 61 counter name cookies
             udp sport 500 udp length > 150 counter name exchanges
           }
         }",
    )
}

fn counted(edge: &Namespace, counter: &str) -> Result<u64> {
    let mut command = Command::new("nft");
    command.args(["list", "counter", "inet", "flood", counter]);
    let listed = process::check(edge, LIMIT, &command)?;
    let (_, behind) = listed.split_once("packets ").context("no counter")?;
    let number = behind.split_whitespace().next().context("no number")?;
    Ok(number.parse()?)
}

/// The most memory that a process has had resident, in KiB.
fn peak(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("no VmHWM")?.parse()?)
}

/// A request for a cookie is a notification in the clear.
fn is_notify(ike: &Ike) -> bool {
    ike.next_payload == 41
}

fn start(attacker: &Namespace, customer_is_in: Arc<AtomicBool>) -> Result<JoinHandle<Result<()>>> {
    attacker.run(|| thread::spawn(move || flood(&customer_is_in)))
}

/// All the requests, and more of them until the customer is in, however fast the machine.
fn flood(customer_is_in: &AtomicBool) -> Result<()> {
    let target = SocketAddr::new(Outer::V4.anycast(), 500);
    let mut noise = Noise::new(1);
    for number in 0.. {
        if number >= REQUESTS / FROM_EACH && customer_is_in.load(Ordering::Relaxed) {
            break;
        }
        let address = Ipv4Addr::from_bits(FIRST_FORGED.to_bits() + 1 + number);
        let socket = UdpSocket::bind((address, 500))?;
        for _ in 0..FROM_EACH {
            socket.send_to(&request(&mut noise), target)?;
        }
    }
    Ok(())
}

/// An IKE_SA_INIT request that is as good as any (RFC 7296 sections 3.1 to 3.4 and 3.9): AES-GCM-16 with 256 bits,
/// PRF_HMAC_SHA2_256 and Curve25519.
fn request(noise: &mut Noise) -> Vec<u8> {
    const REST_OF_HEADER: [u8; 12] = [33, 0x20, 34, 0x08, 0, 0, 0, 0, 0, 0, 0, 144];
    const SA: [u8; 40] = [
        34, 0, 0, 40, 0, 0, 0, 36, 1, 1, 0, 3, // One proposal of three transforms.
        3, 0, 0, 12, 1, 0, 0, 20, 0x80, 14, 1, 0, // ENCR.
        3, 0, 0, 8, 2, 0, 0, 5, // PRF.
        0, 0, 0, 8, 4, 0, 0, 31, // Key exchange.
    ];
    const KE: [u8; 8] = [40, 0, 0, 40, 0, 31, 0, 0];
    const NONCE: [u8; 4] = [0, 0, 0, 36];
    let spi = (noise.next_u64() | 1).to_be_bytes();
    let (public, nonce) = (noise.octets(32), noise.octets(32));
    [
        &spi[..],
        &[0; 8],
        &REST_OF_HEADER,
        &SA,
        &KE,
        &public,
        &NONCE,
        &nonce,
    ]
    .concat()
}
