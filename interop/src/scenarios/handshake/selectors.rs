//! A tunnel that carries one protocol to some ports over IPv4, and everything over IPv6.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::guest::network::{ORIGIN, ORIGIN_6, ORIGIN_PREFIXES, Outer, Plan};
use crate::guest::peers::tunnel::Tunnel;
use crate::guest::stage::{LIMIT, Stage};
use crate::report::Reporter;
use crate::scenarios::steady::Steady;
use crate::scenarios::{Scenario, traffic};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "selectors",
    claim: "of what a customer proposes the child SA carries the protocol and ports that the operator allows, and nothing else",
    limit: Duration::from_secs(600),
    run,
};

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::default())?;
    let network = &stage.network;
    let customer = &network.customers[0];
    let everything = Tunnel::of(customer);
    // The range, which holds the port of our flow, is none that one mask could select.
    let some = format!("{}[udp/5-9]", ORIGIN_PREFIXES[0]);
    let tunnel = Tunnel {
        local_ts: vec![some, ORIGIN_PREFIXES[1].to_owned()],
        ..everything.clone()
    };
    let charon = stage.order_tunnel(0, &tunnel, Outer::V4, "", |connection| {
        connection.remote_ts = everything.local_ts.clone();
    })?;
    charon.initiate(&everything.name, LIMIT)?;
    let spi = stage.shared_spi(Outer::V4.anycast())?;

    let agreed = charon.list_sas()?;
    // charon writes protocols as numbers where nobody has told it their names.
    let narrowed = format!("{}[17/5-9] {}", ORIGIN_PREFIXES[0], ORIGIN_PREFIXES[1]);
    ensure!(
        agreed.contains(&narrowed),
        "not narrowed to {narrowed}:\n{agreed}"
    );
    let allowed = Steady::start(network)?;
    allowed.tour(network)?;
    let allowed = allowed.stop(network)?;
    reporter.measured(format!(
        "{} of {} UDP datagrams to an allowed port answered",
        allowed.received, allowed.sent
    ));
    let pings = traffic::ping_through_each(network, customer.inner.into(), ORIGIN.into())?;
    ensure!(
        pings.values().all(|count| count.received == 0),
        "ICMP went through: {pings:?}"
    );
    traffic::all_gets_through(network, customer.inner_6.into(), ORIGIN_6.into())?;
    reporter.measured("ICMP over IPv4 did not pass; over IPv6 everything did");

    charon.terminate(&everything.name, LIMIT)?;
    stage.gone(Outer::V4.anycast(), spi)?;
    Ok(())
}
