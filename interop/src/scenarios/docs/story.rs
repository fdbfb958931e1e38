//! The main job, end to end, as `interop/demo` shows it.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};

use crate::guest::network::{ORIGIN, Outer, Plan};
use crate::guest::peers::charon::Charon;
use crate::guest::peers::tunnel::Tunnel;
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::traffic::flow::{Echo, Flow};
use crate::guest::watch::kernel;
use crate::guest::watch::packet::Ike;
use crate::report::{Count, Figures, Flip, Reporter, Said};
use crate::scenarios::{Scenario, milliseconds, traffic};

/// The demo's scenario.
pub(crate) const SCENARIO: Scenario = Scenario {
    name: "story",
    claim: "one tunnel, every edge: any of them answers, also when the network switches in mid-stream; revoked, it is gone everywhere",
    limit: Duration::from_secs(600),
    run,
};

/// The flow: datagrams a second, how long, and how often the network switches meanwhile, at even distances.
const RATE: u32 = 100;
const LENGTH: Duration = Duration::from_secs(20);
const SWITCHES: u32 = 9;

fn run(reporter: &mut Reporter) -> Result<()> {
    reporter.step("Three edges announce one address; a distributor keeps them in step.");
    let stage = Stage::set(Plan::default())?;
    let edges: Vec<String> = stage
        .network
        .edges
        .iter()
        .map(|edge| edge.name().to_owned())
        .collect();
    let mut figures = Figures {
        edges,
        ..Figures::default()
    };
    reporter.measured(format!(
        "{} announce 203.0.113.1 and 2001:db8::1",
        figures.edges.join(", ")
    ));

    let (tunnel, _charon, spi) = connect(&stage, reporter, &mut figures)?;
    ping_through_each(&stage, reporter, &mut figures)?;
    flow_while_switching(&stage, reporter, &mut figures, spi)?;
    revoke(&stage, reporter, &mut figures, &tunnel, spi)?;

    reporter.send(&Said::Figures(figures.clone()));
    judge(&figures)
}

/// One handshake, with one edge; then all have the SA.
fn connect(stage: &Stage, reporter: &mut Reporter, figures: &mut Figures) -> Result<(Tunnel, Charon, u32)> {
    reporter.step("The operator adds a tunnel, and the customer's strongSwan sets it up with the address.");
    let (tunnel, charon, spi) = stage.connect(0, Outer::V4)?;
    let customer = &stage.at_customers[0];
    let asked = customer
        .wait(LIMIT, |packet| packet.ike(Ike::SA_INIT, false).is_some())?
        .time;
    let answered = customer
        .wait(LIMIT, |packet| packet.ike(Ike::AUTH, true).is_some())?
        .time;
    figures.handshake_ms = milliseconds(asked, answered);
    let (owner, request) = auth_request(stage)?;
    figures.owner = stage.network.edge_name(owner).to_owned();

    let installed = stage.installed(Outer::V4.anycast(), spi)?;
    figures.installed_ms = by_edge(
        &figures.edges,
        installed.iter().map(|time| milliseconds(request, *time)),
    );
    let last = installed.into_iter().max().context("no edges")?;
    let replies = stage.at_edges.iter().flat_map(|capture| capture.packets());
    figures.barrier_held = replies
        .filter(|packet| packet.ike(Ike::AUTH, true).is_some())
        .all(|reply| reply.time > last);

    reporter.measured(format!(
        "{} negotiated; handshake {:.1} ms",
        figures.owner, figures.handshake_ms
    ));
    for (edge, after) in &figures.installed_ms {
        reporter.measured(format!(
            "{edge} had the SA {spi:08x} in its kernel {after:.1} ms after the IKE_AUTH request"
        ));
    }
    let held = if figures.barrier_held {
        "only after the last of them"
    } else {
        "TOO EARLY"
    };
    reporter.measured(format!("the IKE_AUTH reply left {held}"));
    show(stage, reporter, &["sa", "list"])?;
    Ok((tunnel, charon, spi))
}

/// The edge that the IKE_AUTH request came to, and when.
fn auth_request(stage: &Stage) -> Result<(usize, SystemTime)> {
    let arrivals = stage.at_edges.iter().enumerate().filter_map(|(edge, capture)| {
        let request = capture
            .packets()
            .into_iter()
            .find(|packet| packet.ike(Ike::AUTH, false).is_some())?;
        Some((edge, request.time))
    });
    arrivals
        .min_by_key(|(_, time)| *time)
        .context("no edge saw the IKE_AUTH request")
}

/// From the first customer to the origin.
fn ping_from_the_first(stage: &Stage) -> Result<BTreeMap<String, Count>> {
    let customer = &stage.network.customers[0];
    traffic::ping_through_each(&stage.network, customer.inner.into(), ORIGIN.into())
}

fn ping_through_each(stage: &Stage, reporter: &mut Reporter, figures: &mut Figures) -> Result<()> {
    reporter.step("The network delivers the customer's pings to each edge in turn.");
    figures.ping = ping_from_the_first(stage)?;
    for (edge, Count { sent, received }) in &figures.ping {
        reporter.measured(format!("{edge}: {received} of {sent} pings answered"));
    }
    Ok(())
}

fn flow_while_switching(
    stage: &Stage,
    reporter: &mut Reporter,
    figures: &mut Figures,
    spi: u32,
) -> Result<()> {
    let seconds = LENGTH.as_secs();
    reporter.step(format!(
        "A flow of {RATE} packets a second for {seconds} s; the network switches {SWITCHES} times."
    ));
    let before = decrypted(stage, spi)?;
    let customer = &stage.network.customers[0];
    let echo = Echo::start(&stage.network.origin, ORIGIN.into())?;
    let begun = Instant::now();
    let flow = Flow::start(&customer.namespace, customer.inner.into(), ORIGIN.into(), RATE)?;
    for switch in 1..=SWITCHES {
        sleep_until(begun + LENGTH * switch / (SWITCHES + 1));
        let way = change_the_way(stage, switch)?;
        reporter.measured(format!("{:4.1} s: {way}", begun.elapsed().as_secs_f64()));
    }
    sleep_until(begun + LENGTH);
    let outcome = flow.stop();
    let seconds = outcome.took.as_secs_f64();
    figures.flip = Flip {
        sent: outcome.sent,
        received: outcome.received(),
        switches: SWITCHES.into(),
        packets_per_second: outcome.sent as f64 / seconds,
        seconds,
    };
    reporter.measured(format!("{} sent, {} answered", outcome.sent, outcome.received()));
    for (name, (before, after)) in figures
        .edges
        .iter()
        .zip(before.into_iter().zip(decrypted(stage, spi)?))
    {
        reporter.measured(format!("{name} decrypted {} of them", after - before));
    }
    if !outcome.gaps().is_empty() {
        reporter.measured(format!(
            "{} reached the origin; {}",
            echo.stop().len(),
            outcome.gaps().join(", ")
        ));
    }
    Ok(())
}

/// The next edge for the way to the origin, and the one after it for the way back.
fn change_the_way(stage: &Stage, switch: u32) -> Result<String> {
    let network = &stage.network;
    let there = switch as usize % network.edges.len();
    let back = (switch as usize + 1) % network.edges.len();
    network.deliver_to(there)?;
    network.return_via(back)?;
    Ok(format!(
        "to the origin through {}, back through {}",
        network.edge_name(there),
        network.edge_name(back)
    ))
}

/// Keeps to the schedule, however long a step took.
fn sleep_until(time: Instant) {
    thread::sleep(time.saturating_duration_since(Instant::now()));
}

/// How many packets each edge's kernel has decrypted with the SA.
fn decrypted(stage: &Stage, spi: u32) -> Result<Vec<u64>> {
    let edges = stage.network.edges.iter();
    edges
        .map(|edge| {
            Ok(kernel::find(edge, Outer::V4.anycast(), spi)?
                .context("an edge lost the SA")?
                .packets)
        })
        .collect()
}

fn revoke(
    stage: &Stage,
    reporter: &mut Reporter,
    figures: &mut Figures,
    tunnel: &Tunnel,
    spi: u32,
) -> Result<()> {
    reporter.step("The operator revokes the SA.");
    let asked = SystemTime::now();
    show(stage, reporter, &["sa", "revoke", "--tunnel", &tunnel.name])?;
    let gone = stage.gone(Outer::V4.anycast(), spi)?;
    figures.revoke_ms = by_edge(
        &figures.edges,
        gone.into_iter().map(|time| milliseconds(asked, time)),
    );
    for (edge, after) in &figures.revoke_ms {
        reporter.measured(format!(
            "{edge}'s kernel lost it {after:.1} ms after the command was given"
        ));
    }
    let answered = ping_from_the_first(stage)?;
    ensure!(
        answered.values().all(|count| count.received == 0),
        "a revoked tunnel answers: {answered:?}"
    );
    reporter.measured("no edge answers a ping any more");
    Ok(())
}

/// Shows what an operator's command writes.
fn show(stage: &Stage, reporter: &mut Reporter, words: &[&str]) -> Result<()> {
    reporter.step(format!("$ anyswan {}", words.join(" ")));
    for line in stage.fleet.operate(words)?.lines() {
        reporter.send(&Said::Output(line.to_owned()));
    }
    Ok(())
}

fn judge(figures: &Figures) -> Result<()> {
    ensure!(
        figures.barrier_held,
        "an IKE_AUTH reply left before the last edge had installed the SA"
    );
    traffic::all_answered(&figures.ping)?;
    ensure!(
        figures.flip.sent == figures.flip.received,
        "packets were lost: {:?}",
        figures.flip
    );
    Ok(())
}

fn by_edge(edges: &[String], values: impl Iterator<Item = f64>) -> BTreeMap<String, f64> {
    edges.iter().cloned().zip(values).collect()
}
