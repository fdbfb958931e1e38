//! Someone removes an SA by hand.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::guest::network::{Outer, Plan};
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::monitor::What;
use crate::report::Reporter;
use crate::scenarios::Scenario;
use crate::scenarios::steady::Steady;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "repair",
    claim: "an SA that is removed by hand from one kernel is back within the slow loop's period",
    limit: Duration::from_secs(480),
    run,
};

/// The slow loop's period, and what an emulated machine may add to it.
const PERIOD: Duration = Duration::from_secs(5);
const SPARE: Duration = Duration::from_secs(1);

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::default())?;
    let (_tunnel, _charon, spi) = stage.connect(0, Outer::V4)?;
    let anycast = Outer::V4.anycast();

    let (edge, monitor) = (&stage.network.edges[1], &stage.monitors[1]);
    edge.ip(&format!("xfrm state delete dst {anycast} proto esp spi {spi:#x}"))?;
    let removed = monitor.wait(LIMIT, &[What::Deleted], anycast, spi)?;
    let back = monitor.wait_since(removed, LIMIT, &[What::Added, What::Updated], anycast, spi)?;
    let took = back.duration_since(removed)?;
    reporter.measured(format!("back after {:.2} s", took.as_secs_f64()));
    ensure!(took <= PERIOD + SPARE, "back after {took:?} only");

    ensure!(stage.shared_spi(anycast)? == spi, "another SA came back");
    let traffic = Steady::start(&stage.network)?;
    traffic.tour(&stage.network)?;
    traffic.stop(&stage.network)?;
    Ok(())
}
