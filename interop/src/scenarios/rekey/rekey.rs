//! Keys are replaced under traffic, while the network changes its mind.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};

use crate::guest::network::{Outer, Plan};
use crate::guest::peers::charon::Charon;
use crate::guest::peers::connection::Connection;
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::kernel;
use crate::guest::watch::monitor::What;
use crate::guest::watch::packet::Ike;
use crate::report::Reporter;
use crate::scenarios::Scenario;
use crate::scenarios::steady::Steady;

/// Rekeys of each kind.
const TIMES: usize = 3;

pub(crate) const BY_CUSTOMER: Scenario = Scenario {
    name: "rekey",
    claim: "the customer rekeys its child SA, then its IKE SA, again and again: no packet is lost, and every edge has the new SA before the reply",
    limit: Duration::from_secs(300),
    run: |reporter| by_customer(reporter, |_| {}),
};

pub(crate) const WITH_PFS: Scenario = Scenario {
    name: "rekey-pfs",
    claim: "the same with a key exchange of its own in each rekey of a child SA",
    limit: Duration::from_secs(300),
    run: |reporter| by_customer(reporter, |connection| connection.esp.push_str("-x25519")),
};

pub(crate) const BY_FLEET: Scenario = Scenario {
    name: "rekey-own",
    claim: "a customer that never rekeys is rekeyed by the fleet, and no packet is lost",
    limit: Duration::from_secs(300),
    run: |reporter| {
        by_fleet(reporter, |stage| {
            let (tunnel, charon) = stage.order(0, Outer::V4)?;
            Ok((tunnel.name, charon))
        })
    },
};

fn by_customer(reporter: &mut Reporter, change: impl FnOnce(&mut Connection)) -> Result<()> {
    let mut stage = Stage::set(Plan::default())?;
    let (tunnel, charon) = stage.order_with(0, Outer::V4, change)?;
    charon.initiate(&tunnel.name, LIMIT)?;
    let mut spi = stage.shared_spi(Outer::V4.anycast())?;
    let traffic = Steady::start(&stage.network)?;

    for _ in 0..TIMES {
        let asked = SystemTime::now();
        charon.rekey_child(&tunnel.name)?;
        traffic.tour(&stage.network)?;
        let new = successor(&stage, spi)?;
        was_everywhere_before_the_reply(&stage, new, asked)?;
        sends_on_the_new_one(&stage)?;
        spi = new;
    }
    reporter.measured(format!("{TIMES} rekeys of the child SA"));

    for _ in 0..TIMES {
        let before = ike_spi(&stage)?;
        charon.rekey_ike(&tunnel.name)?;
        traffic.tour(&stage.network)?;
        is_another_ike_sa(&stage, &before)?;
        ensure!(
            stage.shared_spi(Outer::V4.anycast())? == spi,
            "the child SA changed with its IKE SA"
        );
    }
    reporter.measured(format!("{TIMES} rekeys of the IKE SA, which keeps its child SA"));

    // What the owner's daemon knows of all this outlives it.
    restart_owner(&mut stage, &traffic)?;
    charon.rekey_child(&tunnel.name)?;
    traffic.tour(&stage.network)?;
    let last = successor(&stage, spi)?;
    let count = traffic.stop_after(deleted(&stage), &stage.network)?;
    reporter.measured(format!("{} datagrams, {} answers", count.sent, count.received));
    ends_everywhere(&stage, &charon, &tunnel.name, last)
}

/// With the first customer and its connection's name.
pub(crate) fn by_fleet(
    reporter: &mut Reporter,
    customer: impl FnOnce(&Stage) -> Result<(String, Charon)>,
) -> Result<()> {
    let limits = "[limits]\nrekey_child_seconds = 20\nrekey_ike_seconds = 50\n";
    let mut stage = Stage::set_with(Plan::default(), limits)?;
    let (connection, charon) = customer(&stage)?;
    charon.initiate(&connection, LIMIT)?;
    let mut spi = stage.shared_spi(Outer::V4.anycast())?;
    let before = ike_spi(&stage)?;
    let traffic = Steady::start(&stage.network)?;
    for _ in 0..TIMES {
        traffic.tour(&stage.network)?;
        spi = successor(&stage, spi)?;
        sends_on_the_new_one(&stage)?;
    }
    is_another_ike_sa(&stage, &before)?;
    reporter.measured(format!("{TIMES} rekeys of the child SA, and one of the IKE SA"));

    restart_owner(&mut stage, &traffic)?;
    successor(&stage, spi)?;
    reporter.measured("one more by the process that has taken over");
    let count = traffic.stop_after(deleted(&stage), &stage.network)?;
    reporter.measured(format!("{} datagrams, {} answers", count.sent, count.received));
    let last = stage.shared_spi(Outer::V4.anycast())?;
    ends_everywhere(&stage, &charon, &connection, last)
}

fn restart_owner(stage: &mut Stage, traffic: &Steady) -> Result<()> {
    let owner = &mut stage.fleet.edges[0];
    owner.kill()?;
    traffic.tour(&stage.network)?;
    owner.start()?;
    owner.wait_ready(LIMIT)
}

/// How many child SAs have been replaced, as the first edge's kernel saw it.
fn deleted(stage: &Stage) -> usize {
    let events = stage.monitors[0].events();
    let replaced = events
        .iter()
        .filter(|event| event.what == What::Deleted && event.destination == Outer::V4.anycast());
    replaced.count()
}

/// Waits until every edge has one inbound SA again, with another SPI than `old`.
pub(crate) fn successor(stage: &Stage, old: u32) -> Result<u32> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match stage.shared_spi(Outer::V4.anycast()) {
            Ok(spi) if spi != old => return Ok(spi),
            found => ensure!(
                Instant::now() < deadline,
                "{old:#010x} is not replaced everywhere: {found:?}"
            ),
        }
    }
}

/// The first CREATE_CHILD_SA reply since `asked` left after the last edge had the SA.
fn was_everywhere_before_the_reply(stage: &Stage, spi: u32, asked: SystemTime) -> Result<()> {
    let installed = stage.installed(Outer::V4.anycast(), spi)?;
    let last = installed.into_iter().max().context("no edges")?;
    let replies = stage.at_edges.iter().flat_map(|capture| capture.packets());
    let first = replies
        .filter(|packet| packet.time > asked && packet.ike(Ike::CREATE_CHILD_SA, true).is_some())
        .map(|reply| reply.time)
        .min()
        .context("no edge has answered the rekey")?;
    ensure!(
        first > last,
        "the reply left before the last edge had {spi:#010x}"
    );
    Ok(())
}

/// Each edge has one outbound SA left; that it is the new one, the answers tell.
fn sends_on_the_new_one(stage: &Stage) -> Result<()> {
    for edge in &stage.network.edges {
        let sas = kernel::sas(edge)?;
        ensure!(sas.len() == 2, "{} has {sas:?}", edge.name());
    }
    Ok(())
}

/// The responder's SPI of the one IKE SA that the operator sees.
pub(crate) fn ike_spi(stage: &Stage) -> Result<String> {
    let sas = stage.fleet.read(&["sa", "list"])?;
    match sas.as_array().map(Vec::as_slice) {
        Some([sa]) => Ok(sa["spi"].to_string()),
        _ => anyhow::bail!("not one IKE SA: {sas:#}"),
    }
}

pub(crate) fn is_another_ike_sa(stage: &Stage, before: &str) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match ike_spi(stage) {
            Ok(spi) if spi != before => return Ok(()),
            found => ensure!(
                Instant::now() < deadline,
                "the IKE SA {before} is not replaced: {found:?}"
            ),
        }
    }
}

/// The customer's DELETE is carried out by whoever owns the IKE SA by now.
fn ends_everywhere(stage: &Stage, charon: &Charon, connection: &str, spi: u32) -> Result<()> {
    charon
        .terminate(connection, LIMIT)
        .context("the owner does not answer for its IKE SA")?;
    stage.gone(Outer::V4.anycast(), spi).map(drop)
}
