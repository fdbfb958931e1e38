//! A network that delivers every IKE message to two edges.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::guest::network::{Outer, Plan};
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::packet::Ike;
use crate::report::Reporter;
use crate::scenarios::Scenario;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "twice",
    claim: "two edges get every IKE message: one of them negotiates, there is one SA, and the customer can end it",
    limit: Duration::from_secs(600),
    run,
};

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::default())?;
    stage.network.copy_ike_to(1)?;
    let (tunnel, charon, spi) = stage.connect(0, Outer::V4)?;

    // Both answered the first message, each as an SA of its own.
    let responders = stage.at_customers[0].wait_until(LIMIT, |packets| {
        let replies = packets.iter().filter_map(|packet| packet.ike(Ike::SA_INIT, true));
        let spis: BTreeSet<u64> = replies.map(|reply| reply.responder_spi).collect();
        (spis.len() == 2).then_some(spis)
    })?;
    for capture in &stage.at_edges[..2] {
        capture.wait(LIMIT, |packet| packet.ike(Ike::AUTH, false).is_some())?;
    }
    let listed = stage.fleet.read(&["sa", "list"])?;
    let sas = listed.as_array().context("no list")?;
    ensure!(sas.len() == 1, "one IKE SA was expected: {listed}");
    let chosen = sas[0]["spi"]
        .as_str()
        .and_then(|spi| u64::from_str_radix(spi, 16).ok());
    ensure!(
        chosen.is_some_and(|spi| responders.contains(&spi)),
        "{listed}, but answered were {responders:x?}"
    );
    reporter.measured(format!(
        "two edges answered IKE_SA_INIT, {} went on",
        sas[0]["owner"]
    ));

    charon.terminate(&tunnel.name, LIMIT)?;
    stage.gone(Outer::V4.anycast(), spi)?;
    Ok(())
}
