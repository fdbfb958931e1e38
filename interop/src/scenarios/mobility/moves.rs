//! A customer whose address or port changes under a flow.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};

use crate::guest::network::{ORIGIN, Outer, Plan};
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::traffic::flow::{Echo, Flow};
use crate::guest::watch::kernel;
use crate::guest::watch::packet::Ike;
use crate::report::Reporter;
use crate::scenarios::{Scenario, milliseconds};

pub(crate) const OF_THE_NAT: Scenario = Scenario {
    name: "nat-restart",
    claim: "the customer's NAT restarts and gives it another port: the kernels notice, every edge follows, the flow goes on",
    limit: Duration::from_secs(600),
    run: |reporter| {
        let plan = Plan::behind_nat();
        run(reporter, plan, |stage| stage.network.restart_nat(0))
    },
};

pub(crate) const OF_THE_CUSTOMER: Scenario = Scenario {
    name: "mobike",
    claim: "the customer changes its address (MOBIKE): every edge follows, the flow goes on",
    limit: Duration::from_secs(600),
    run: |reporter| run(reporter, Plan::default(), |stage| stage.network.move_customer(0)),
};

/// Datagrams a second.
const RATE: u32 = 100;

/// Answers to see before and after.
const ANSWERS: usize = 100;

fn run(reporter: &mut Reporter, plan: Plan, change: impl FnOnce(&Stage) -> Result<()>) -> Result<()> {
    let stage = Stage::set(plan)?;
    // Any address of its own will do for charon.
    let (tunnel, charon) = stage.order_with(0, Outer::V4, |connection| connection.local = None)?;
    charon.initiate(&tunnel.name, LIMIT)?;
    let spi = stage.shared_spi(Outer::V4.anycast())?;
    let customer = &stage.network.customers[0];
    let before = whereabouts(&stage)?;
    let echo = Echo::start(&stage.network.origin, ORIGIN.into())?;
    let flow = Flow::start(&customer.namespace, customer.inner.into(), ORIGIN.into(), RATE)?;
    flow.wait_for_answers(ANSWERS, LIMIT)?;

    let begun = SystemTime::now();
    change(&stage)?;
    let after = followed(&stage, before)?;
    report_steps(&stage, begun, reporter);
    for edge in 0..stage.network.edges.len() {
        stage.network.return_via(edge)?;
        flow.wait_for_answers(ANSWERS, LIMIT)?;
    }
    let outcome = flow.stop();
    drop(echo);
    reporter.measured(format!(
        "from {before} to {after}: of {} datagrams {} were answered, and {} did not leave the customer; {}",
        outcome.sent,
        outcome.received(),
        outcome.refused.len(),
        outcome.gaps().join(", ")
    ));
    let answers = stage.at_edges.iter().flat_map(|capture| capture.packets());
    let replaced = answers.filter(|packet| packet.ike(Ike::CREATE_CHILD_SA, true).is_some());
    ensure!(replaced.count() == 0, "the SA was replaced, not moved");
    charon.terminate(&tunnel.name, LIMIT)?;
    stage.gone(Outer::V4.anycast(), spi)?;
    Ok(())
}

/// How long the owner took to ask the customer where it is, the customer to answer, and the last edge to follow.
fn report_steps(stage: &Stage, begun: SystemTime, reporter: &mut Reporter) {
    let packets = stage.at_edges.iter().flat_map(|capture| capture.packets());
    let later: Vec<_> = packets.filter(|packet| packet.time > begun).collect();
    let first = |is_response: bool, from_us: bool| {
        let found = later.iter().filter(|packet| {
            let is_ours = packet.source.ip() == Outer::V4.anycast();
            packet.ike(Ike::INFORMATIONAL, is_response).is_some() && is_ours == from_us
        });
        found.map(|packet| packet.time).min()
    };
    let events = stage.monitors.iter().flat_map(|monitor| monitor.events());
    let changed = events.map(|event| event.time).max();
    let after = |time: Option<SystemTime>| {
        time.map_or("never".into(), |time| {
            format!("{:.0} ms", milliseconds(begun, time))
        })
    };
    reporter.measured(format!(
        "asked after {}, answered after {}, the last kernel changed after {}",
        after(first(false, true)),
        after(first(true, false)),
        after(changed)
    ));
}

/// Where all edges send to; port 0 for plain ESP.
fn whereabouts(stage: &Stage) -> Result<SocketAddr> {
    let anycast: IpAddr = Outer::V4.anycast();
    let mut found = None;
    for edge in &stage.network.edges {
        let sas = kernel::sas(edge)?;
        let [outbound] = &sas.iter().filter(|sa| sa.source == anycast).collect::<Vec<_>>()[..] else {
            anyhow::bail!("{} sends on {sas:?}", edge.name());
        };
        let port = outbound.encapsulation.map_or(0, |(_, port)| port);
        let address = SocketAddr::new(outbound.destination, port);
        ensure!(
            *found.get_or_insert(address) == address,
            "{} sends to {address}",
            edge.name()
        );
    }
    found.context("no edges")
}

/// Waits until all edges send to the same place, and another one than before.
fn followed(stage: &Stage, before: SocketAddr) -> Result<SocketAddr> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match whereabouts(stage) {
            Ok(after) if after != before => return Ok(after),
            found => ensure!(
                Instant::now() < deadline,
                "the fleet does not follow from {before}: {found:?}"
            ),
        }
    }
}
