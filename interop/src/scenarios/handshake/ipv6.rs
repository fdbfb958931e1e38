//! The story with IPv6 outside, and both families inside.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::guest::network::{ORIGIN, ORIGIN_6, Outer, Plan};
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::packet::Ike;
use crate::report::Reporter;
use crate::scenarios::{Scenario, traffic};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "ipv6",
    claim: "a tunnel over IPv6 carries both families through every edge, and is gone when revoked",
    limit: Duration::from_secs(600),
    run,
};

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::default())?;
    let anycast = Outer::V6.anycast();
    let (tunnel, _charon, spi) = stage.connect(0, Outer::V6)?;
    let reply = stage.at_customers[0].wait(LIMIT, |packet| packet.ike(Ike::AUTH, true).is_some())?;
    ensure!(reply.source.ip() == anycast, "answered from {}", reply.source);
    let installed = stage.installed(anycast, spi)?;
    ensure!(
        installed.iter().all(|time| *time < reply.time),
        "the reply left before every edge was ready"
    );

    let customer = &stage.network.customers[0];
    for (from, to) in [
        (customer.inner.into(), ORIGIN.into()),
        (customer.inner_6.into(), ORIGIN_6.into()),
    ] {
        let count = traffic::all_gets_through(&stage.network, from, to)?;
        reporter.measured(format!("{} of {} answered from {to}", count.received, count.sent));
    }
    let esp: Vec<_> = stage.at_customers[0]
        .packets()
        .into_iter()
        .filter(|packet| packet.esp_spi().is_some())
        .collect();
    ensure!(esp.iter().all(|packet| packet.source.is_ipv6()), "ESP over IPv4");

    stage.fleet.operate(&["sa", "revoke", "--tunnel", &tunnel.name])?;
    stage.gone(anycast, spi)?;
    Ok(())
}
