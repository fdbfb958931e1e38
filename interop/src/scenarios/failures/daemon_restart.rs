//! The daemons of all edges die one after the other, under traffic.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::guest::network::{Outer, Plan};
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::kernel::{self, Sa};
use crate::report::Reporter;
use crate::scenarios::Scenario;
use crate::scenarios::steady::Steady;

pub(crate) const PLAIN: Scenario = Scenario {
    name: "daemon-restart",
    claim: "an edge's daemon is killed and started again, or drained, and no packet is lost; it finds its SAs and its IKE SA again",
    limit: Duration::from_secs(600),
    run: |reporter| play(reporter, Plan::default()),
};

pub(crate) const BEHIND_NAT: Scenario = Scenario {
    name: "daemon-restart-nat",
    claim: "the same behind a NAT: the socket that takes ESP out of UDP outlives the daemon",
    limit: Duration::from_secs(600),
    run: |reporter| play(reporter, Plan::behind_nat()),
};

fn play(reporter: &mut Reporter, plan: Plan) -> Result<()> {
    let mut stage = Stage::set(plan)?;
    let (tunnel, charon, spi) = stage.connect(0, Outer::V4)?;
    let traffic = Steady::start(&stage.network)?;

    // The first edge is the owner, since the network delivered to it.
    for edge in 0..stage.network.edges.len() {
        let before = inbound(&stage, edge, spi)?;
        stage.fleet.edges[edge].kill()?;
        traffic.tour(&stage.network)?;
        stage.fleet.edges[edge].start()?;
        stage.fleet.edges[edge].wait_ready(LIMIT)?;
        traffic.tour(&stage.network)?;
        was_adopted(&before, &inbound(&stage, edge, spi)?)?;
    }
    reporter.measured("three daemons killed and started again");

    let status = stage.fleet.edges[1].terminate()?;
    ensure!(status.success(), "a drained edge ends with {status}");
    traffic.tour(&stage.network)?;
    stage.fleet.edges[1].start()?;
    stage.fleet.edges[1].wait_ready(LIMIT)?;
    traffic.tour(&stage.network)?;
    let count = traffic.stop(&stage.network)?;
    reporter.measured(format!("{} datagrams, {} answers", count.sent, count.received));

    let spis = stage
        .network
        .edges
        .iter()
        .map(|edge| kernel::sas(edge).map(|sas| sas.len()));
    ensure!(
        spis.collect::<Result<Vec<_>>>()?.iter().all(|sas| *sas == 2),
        "something was installed twice"
    );
    charon
        .terminate(&tunnel.name, LIMIT)
        .context("the owner does not answer for its IKE SA")?;
    stage.gone(Outer::V4.anycast(), spi)?;
    reporter.measured("the owner took its IKE SA up again: the customer's DELETE is carried out everywhere");
    Ok(())
}

fn inbound(stage: &Stage, edge: usize, spi: u32) -> Result<Sa> {
    kernel::find(&stage.network.edges[edge], Outer::V4.anycast(), spi)?.context("the SA is gone")
}

/// It is the same SA, and not one of the same name that was installed again.
pub(crate) fn was_adopted(before: &Sa, after: &Sa) -> Result<()> {
    ensure!(
        before.added == after.added,
        "installed again: {before:?}, now {after:?}"
    );
    ensure!(
        before.packets < after.packets,
        "not in use: {before:?}, now {after:?}"
    );
    Ok(())
}
