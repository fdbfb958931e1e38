//! An operator moves a customer to another gateway (RFC 5685): a stock charon, in the place of the second customer.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::guest::network::{ORIGIN, Outer, Plan};
use crate::guest::peers::charon::Charon;
use crate::guest::peers::connection::Connection;
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::packet::Ike;
use crate::report::Reporter;
use crate::scenarios::{Scenario, traffic};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "redirect",
    claim: "a customer goes to the gateway that the operator names, in its session and when it comes anew, until that is taken back",
    limit: Duration::from_secs(600),
    run,
};

fn run(reporter: &mut Reporter) -> Result<()> {
    let plan = Plan::of_customers(2);
    let stage = Stage::set_with(plan, "[limits]\nredirect_seconds = 5\n")?;
    let anycast = Outer::V4.anycast();
    let (tunnel, charon, spi) = stage.connect(0, Outer::V4)?;
    let [customer, other] = &stage.network.customers[..] else {
        unreachable!("the plan has two customers");
    };
    other.namespace.ip(&format!("address add {ORIGIN}/32 dev lo"))?;
    let there = Connection {
        local: Some(other.outer.into()),
        ..tunnel.connection(customer.outer.into(), Outer::V4).mirrored()
    };
    let _gateway = Charon::start(&other.namespace, &[there], "")?;

    let to = other.outer.to_string();
    stage
        .fleet
        .operate(&["tunnel", "redirect", &tunnel.name, "--to", &to])?;
    stage.gone(anycast, spi)?;
    arrives(&stage, other.outer.into(), 1)?;
    traffic::some_gets_through(customer).context("the other gateway")?;
    reporter.measured("moved in mid-session: the other gateway answers, no edge has an SA");

    charon.terminate(&tunnel.name, LIMIT)?;
    charon.begin(&tunnel.name)?;
    arrives(&stage, other.outer.into(), 2)?;
    traffic::some_gets_through(customer).context("the other gateway")?;
    for edge in 0..stage.network.edges.len() {
        ensure!(stage.inbound(edge)?.is_empty(), "an edge has an SA");
    }
    // charon forgets the IKE SA that redirects it without a word, so that it ends by our patience.
    until_forgotten(&stage)?;
    reporter.measured("moved when it came anew");

    stage
        .fleet
        .operate(&["tunnel", "redirect", &tunnel.name, "--off"])?;
    charon.terminate(&tunnel.name, LIMIT)?;
    charon.initiate(&tunnel.name, LIMIT)?;
    stage.shared_spi(anycast)?;
    traffic::some_gets_through(customer).context("the fleet")?;
    reporter.measured("back at the fleet");
    Ok(())
}

/// Waits until the gateway at this address has authenticated so many customers.
fn arrives(stage: &Stage, gateway: IpAddr, times: usize) -> Result<()> {
    stage.at_customers[0].wait_until(LIMIT, |packets| {
        let replies = packets
            .iter()
            .filter(|packet| packet.source.ip() == gateway && packet.ike(Ike::AUTH, true).is_some());
        (replies.count() == times).then_some(())
    })
}

/// Waits until the fleet has no IKE SA.
fn until_forgotten(stage: &Stage) -> Result<()> {
    let start = Instant::now();
    loop {
        let listed = stage.fleet.read(&["sa", "list"])?;
        if listed == json!([]) {
            return Ok(());
        }
        ensure!(start.elapsed() < LIMIT, "an IKE SA is left: {listed}");
    }
}
