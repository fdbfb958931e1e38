//! A customer with a wrong pre-shared key.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::guest::network::{Outer, Plan};
use crate::guest::peers::connection::Credentials;
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::packet::Ike;
use crate::report::Reporter;
use crate::scenarios::Scenario;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "wrong-key",
    claim: "a wrong key is answered with AUTHENTICATION_FAILED, and no kernel hears of an SA",
    limit: Duration::from_secs(600),
    run,
};

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::default())?;
    let (tunnel, charon) = stage.order_with(0, Outer::V4, |connection| {
        connection.credentials = Credentials::Psk("not the key".to_owned())
    })?;
    let tried = charon.try_initiate(&tunnel.name, LIMIT)?;
    ensure!(!tried.status.success(), "a wrong key was good enough");
    charon.wait_for_line("received AUTHENTICATION_FAILED notify error", LIMIT)?;
    stage.at_customers[0].wait(LIMIT, |packet| packet.ike(Ike::AUTH, true).is_some())?;
    stage.untouched()?;
    let listed = stage.fleet.read(&["sa", "list"])?;
    ensure!(listed == json!([]), "an IKE SA is listed: {listed}");
    reporter.measured("refused with AUTHENTICATION_FAILED; nothing installed anywhere");
    Ok(())
}
