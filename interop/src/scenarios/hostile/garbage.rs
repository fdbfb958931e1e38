//! A peer that sends what no peer should.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::guest::host::namespace::Namespace;
use crate::guest::network::{Outer, Plan};
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::traffic::noise::Noise;
use crate::report::Reporter;
use crate::scenarios::Scenario;
use crate::scenarios::steady::Steady;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "garbage",
    claim: "malformed datagrams at every edge are counted and harm nobody",
    limit: Duration::from_secs(480),
    run,
};

/// To each edge, at each port.
const DATAGRAMS: u32 = 1000;
const PORTS: [u16; 2] = [500, 4500];
const PACE: Duration = Duration::from_millis(1);

fn run(reporter: &mut Reporter) -> Result<()> {
    let mut stage = Stage::set(Plan::default())?;
    let (tunnel, charon, spi) = stage.connect(0, Outer::V4)?;
    let traffic = Steady::start(&stage.network)?;
    for (edge, namespace) in stage.network.edges.iter().enumerate() {
        let before = counted(namespace)?;
        stage.network.deliver_to(edge)?;
        send(&stage.network.customers[0].namespace, edge as u64)?;
        let after = counted(namespace)?;
        // Some may be lost on the way into a busy daemon, as any datagram may.
        let (received, dropped) = (after.received - before.received, after.dropped - before.dropped);
        ensure!(
            received > u64::from(DATAGRAMS),
            "{} received {received}",
            namespace.name()
        );
        ensure!(
            dropped > u64::from(DATAGRAMS),
            "{} counted {dropped}",
            namespace.name()
        );
        reporter.measured(format!(
            "{}: {received} received, {dropped} dropped and counted by kind",
            namespace.name()
        ));
    }
    for edge in &mut stage.fleet.edges {
        ensure!(edge.daemon()?.is_alive()?, "a daemon died");
    }
    traffic.tour(&stage.network)?;
    traffic.stop(&stage.network)?;
    charon.terminate(&tunnel.name, LIMIT)?;
    stage.gone(Outer::V4.anycast(), spi)?;
    Ok(())
}

/// What an edge says of the datagrams it got.
struct Counted {
    received: u64,
    dropped: u64,
}

fn counted(edge: &Namespace) -> Result<Counted> {
    let metrics = edge.run(|| -> Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, 9101))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    })??;
    let sum = |part: &str| -> Result<u64> {
        let lines = metrics
            .lines()
            .filter(|line| !line.starts_with('#') && line.contains(part));
        lines
            .map(|line| Ok(line.rsplit(' ').next().context("no value")?.parse::<u64>()?))
            .sum()
    };
    Ok(Counted {
        received: sum("anyswan_datagrams_total{kind=\"received\"}")?,
        dropped: sum("kind=\"dropped_")?,
    })
}

fn send(customer: &Namespace, seed: u64) -> Result<()> {
    let targets = PORTS.map(|port| SocketAddr::new(Outer::V4.anycast(), port));
    customer.run(move || -> Result<()> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        let mut noise = Noise::new(seed);
        for number in 0..DATAGRAMS {
            for target in targets {
                // Without the non-ESP marker (RFC 3948 section 2.2) the kernel takes it for ESP, and no daemon sees it.
                let marker: &[u8] = if target.port() == 4500 { &[0; 4] } else { &[] };
                socket.send_to(&[marker, &datagram(&mut noise, number)].concat(), target)?;
            }
            thread::sleep(PACE);
        }
        Ok(())
    })?
}

/// Half of them begin like an IKE_SA_INIT request of the right length, so that the payloads are looked at.
fn datagram(noise: &mut Noise, number: u32) -> Vec<u8> {
    let length = 29 + (noise.next_u64() % 600) as usize;
    let mut datagram = noise.octets(length);
    if number.is_multiple_of(2) {
        // RFC 7296 section 3.1: no responder SPI, first payload SA, version 2.0, IKE_SA_INIT, initiator, message ID 0.
        datagram[8..16].fill(0);
        datagram[16..20].copy_from_slice(&[33, 0x20, 34, 0x08]);
        datagram[20..24].fill(0);
        datagram[24..28].copy_from_slice(&(length as u32).to_be_bytes());
    }
    datagram
}
