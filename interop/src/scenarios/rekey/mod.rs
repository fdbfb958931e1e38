//! Keys are replaced under traffic, while the network changes its mind.

pub(crate) mod by_customer;
pub(crate) mod by_fleet;

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::steady::Steady;
use crate::guest::network::Outer;
use crate::guest::peers::charon::Charon;
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::kernel;
use crate::guest::watch::monitor::What;

/// Rekeys of each kind.
const TIMES: usize = 3;

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
pub(crate) fn replacement_of(stage: &Stage, old: u32) -> Result<u32> {
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
