//! The customer ends its child SA, then its IKE SA.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::guest::network::{Outer, Plan};
use crate::guest::stage::{LIMIT, Stage};
use crate::report::Reporter;
use crate::scenarios::Scenario;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "customer-delete",
    claim: "a DELETE of a child SA takes it from every kernel and leaves the IKE SA; a DELETE of the IKE SA ends that too",
    limit: Duration::from_secs(600),
    run,
};

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::default())?;
    let anycast = Outer::V4.anycast();
    let (tunnel, charon, spi) = stage.connect(0, Outer::V4)?;

    charon.terminate_child(&tunnel.name, LIMIT)?;
    stage.gone(anycast, spi)?;
    let listed = stage.fleet.read(&["sa", "list"])?;
    ensure!(
        listed[0]["children"] == json!([]),
        "the IKE SA should be left without a child: {listed}"
    );
    reporter.measured("the child SA is gone everywhere, its IKE SA is there");

    charon.terminate(&tunnel.name, LIMIT)?;
    let listed = stage.fleet.read(&["sa", "list"])?;
    ensure!(listed == json!([]), "an IKE SA is left: {listed}");
    reporter.measured("the IKE SA is gone");

    // The customer may come again at once.
    charon.initiate(&tunnel.name, LIMIT)?;
    let again = stage.shared_spi(anycast)?;
    ensure!(again != spi, "an SPI came back");
    charon.terminate(&tunnel.name, LIMIT)?;
    stage.gone(anycast, again)?;
    Ok(())
}
