//! A kernel without a module that we need.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::guest::host::process;
use crate::guest::network::{Outer, Plan};
use crate::guest::peers::charon::Charon;
use crate::guest::peers::tunnel::Tunnel;
use crate::guest::stage::{LIMIT, Stage};
use crate::report::Reporter;
use crate::scenarios::Scenario;
use crate::scenarios::steady::Steady;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "kernel-refusal",
    claim: "what a kernel refuses is shown in words with the remedy, and heals once the remedy is applied",
    limit: Duration::from_secs(480),
    run,
};

const MODULE: &str = "xfrm_interface";
const BAN: &str = "/etc/modprobe.d/lab.conf";

fn run(reporter: &mut Reporter) -> Result<()> {
    let mut stage = Stage::set(Plan::default())?;
    fs::write(BAN, format!("install {MODULE} /bin/false\n"))?;
    unload(&stage)?;
    is_told_before_the_first_tunnel(&mut stage)?;
    let customer = &stage.network.customers[0];
    let tunnel = Tunnel::of(customer);
    let added = stage.fleet.add(&tunnel);
    let shown = stage.fleet.operate(&["fleet", "status"]);
    fs::remove_file(BAN)?;

    let told = added.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(
        stage.network.edges.iter().all(|edge| {
            let refusal = told.split_once("refused by the kernel of ");
            refusal.is_some_and(|(_, edges)| edges.contains(edge.name()))
        }),
        "the operator was not told: {told}"
    );
    let connection = tunnel.connection(customer.outer(Outer::V4), Outer::V4);
    let charon = Charon::start(&customer.namespace, &[connection], "")?;
    charon.initiate(&tunnel.name, LIMIT)?;
    let shown = shown?;
    let lines: Vec<&str> = shown.lines().filter(|line| line.contains(MODULE)).collect();
    ensure!(
        lines.len() >= stage.network.edges.len(),
        "not every edge says what is missing:\n{shown}"
    );
    ensure!(
        lines.iter().all(|line| line.contains("load the kernel module")),
        "no remedy in\n{shown}"
    );
    reporter.measured(lines[0].trim().to_owned());

    process::check(&stage.network.dist, LIMIT, Command::new("modprobe").arg(MODULE))?;
    wait_until_healed(&stage)?;
    let traffic = Steady::start(&stage.network)?;
    traffic.tour(&stage.network)?;
    traffic.stop(&stage.network)?;
    reporter.measured("with the module the tunnel works");
    Ok(())
}

/// By an edge that starts without the module.
fn is_told_before_the_first_tunnel(stage: &mut Stage) -> Result<()> {
    let edge = &mut stage.fleet.edges[0];
    edge.terminate()?;
    edge.start()?;
    edge.wait_ready(LIMIT)?;
    let deadline = std::time::Instant::now() + LIMIT;
    while !stage.fleet.operate(&["fleet", "status"])?.contains(MODULE) {
        ensure!(
            std::time::Instant::now() < deadline,
            "an edge without {MODULE} and without tunnels says nothing"
        );
    }
    Ok(())
}

/// The module may stay in use for a moment by interfaces of a scenario before.
fn unload(stage: &Stage) -> Result<()> {
    let script = format!("until modprobe -r {MODULE}; do sleep 0.2; done");
    process::check(
        &stage.network.dist,
        LIMIT,
        Command::new("sh").args(["-c", &script]),
    )
    .map(drop)
}

/// The next turns of the slow loops repair it, and tell the distributor.
fn wait_until_healed(stage: &Stage) -> Result<()> {
    let deadline = std::time::Instant::now() + LIMIT;
    loop {
        let status = stage.fleet.read(&["fleet", "status"])?;
        let edges = status["edges"].as_array().context("no edges")?;
        let is_well = |edge: &Value| edge["failures_total"] == 0 && edge["state"] == "live";
        if edges.iter().all(is_well) {
            return Ok(());
        }
        ensure!(std::time::Instant::now() < deadline, "not healed: {status:#}");
    }
}
