//! A customer whose IKE SA begins without a child SA (RFC 6023).

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::guest::network::{ORIGIN, Outer, Plan};
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::packet::Ike;
use crate::report::Reporter;
use crate::scenarios::{Scenario, traffic};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "childless",
    claim: "a customer that authenticates first and asks for its child SA afterwards gets both",
    limit: Duration::from_secs(600),
    run,
};

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::default())?;
    let (tunnel, charon) = stage.order_with(0, Outer::V4, |connection| {
        connection.settings.push("childless = force".to_owned());
    })?;
    charon.initiate(&tunnel.name, LIMIT)?;
    let anycast = Outer::V4.anycast();
    let spi = stage.shared_spi(anycast)?;

    let is_reply =
        |exchange| stage.at_customers[0].wait(LIMIT, |packet| packet.ike(exchange, true).is_some());
    let (auth, create) = (is_reply(Ike::AUTH)?, is_reply(Ike::CREATE_CHILD_SA)?);
    let installed = stage.installed(anycast, spi)?;
    let first = installed.iter().min().context("no edges")?;
    ensure!(auth.time < *first, "an SA was there before it was asked for");
    ensure!(
        installed.iter().all(|time| *time < create.time),
        "the reply left before every edge was ready"
    );
    let customer = &stage.network.customers[0];
    let count = traffic::all_gets_through(&stage.network, customer.inner.into(), ORIGIN.into())?;
    reporter.measured(format!("{} of {} answered", count.received, count.sent));
    Ok(())
}
