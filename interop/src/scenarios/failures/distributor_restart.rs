//! The distributor dies, under traffic.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::guest::network::{Outer, Plan};
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::packet::Ike;
use crate::report::Reporter;
use crate::scenarios::Scenario;
use crate::scenarios::steady::Steady;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "distributor-restart",
    claim: "without a distributor no packet is lost; with it back, customers connect again",
    limit: Duration::from_secs(600),
    run,
};

fn run(reporter: &mut Reporter) -> Result<()> {
    let mut stage = Stage::set(Plan::of_customers(2))?;
    let (_, _first, spi) = stage.connect(0, Outer::V4)?;
    let (second, charon) = stage.order(1, Outer::V4)?;
    let traffic = Steady::start(&stage.network)?;

    stage.fleet.distributor.kill()?;
    traffic.tour(&stage.network)?;
    let asked = stage.fleet.try_operate(&["fleet", "status"])?;
    ensure!(
        asked.status.code() == Some(5),
        "`fleet status` without a distributor: {}",
        asked.status
    );
    let tried = charon.try_initiate(&second.name, Duration::from_secs(5))?;
    ensure!(
        !tried.status.success(),
        "a tunnel was set up that nobody could make known"
    );
    reporter.measured("no distributor: traffic goes on, and no new tunnel is set up");

    stage.fleet.distributor.start()?;
    stage.fleet.distributor.wait_ready(LIMIT)?;
    traffic.tour(&stage.network)?;
    // charon has asked again and again meanwhile, as routers do (RFC 7296 section 2.1).
    stage.at_customers[1].wait(LIMIT, |packet| packet.ike(Ike::AUTH, true).is_some())?;
    let count = traffic.stop(&stage.network)?;
    reporter.measured(format!("{} datagrams, {} answers", count.sent, count.received));

    for edge in 0..stage.network.edges.len() {
        let sas = stage.inbound(edge)?;
        let name = stage.network.edge_name(edge);
        ensure!(
            sas.iter().any(|sa| sa.spi == spi),
            "{name} lost the first customer"
        );
        ensure!(
            sas.len() == 2,
            "{name} has {} inbound SAs for two customers",
            sas.len()
        );
    }
    let status = stage.fleet.read(&["fleet", "status"])?;
    let edges = status["edges"].as_array().context("no edges")?;
    ensure!(edges.iter().all(|edge| edge["state"] == "live"), "{status:#}");
    Ok(())
}
