//! A network that knows no flows: each packet for the anycast address goes to the next edge.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;

use crate::guest::network::{ORIGIN, Outer, Plan};
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::traffic::flow::{Echo, Flow};
use crate::guest::watch::losses;
use crate::guest::watch::packet::Ike;
use crate::report::Reporter;
use crate::scenarios::{Scenario, milliseconds};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "spray",
    claim: "with every packet at another edge, a tunnel comes up, carries traffic, answers dead-peer checks and ends",
    limit: Duration::from_secs(600),
    run,
};

/// Dead-peer checks to see answered.
const CHECKS: usize = 4;

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::default())?;
    stage.network.spray()?;
    let (tunnel, charon) = stage.order_with(0, Outer::V4, |connection| connection.dpd_seconds = 1)?;
    charon.initiate(&tunnel.name, LIMIT)?;
    let spi = stage.shared_spi(Outer::V4.anycast())?;

    let network = &stage.network;
    let customer = &network.customers[0];
    let echo = Echo::start(&network.origin, ORIGIN.into())?;
    let flow = Flow::start(&customer.namespace, customer.inner.into(), ORIGIN.into(), 100)?;
    flow.wait_for_answers(300, LIMIT)?;
    let outcome = losses::none(network, echo, flow, 0)?;
    reporter.measured(format!("{} of {} answered", outcome.received(), outcome.sent));

    let answered = stage.at_customers[0].wait_until(LIMIT, |packets| {
        let replies = packets
            .iter()
            .filter_map(|packet| packet.ike(Ike::INFORMATIONAL, true));
        let ids: BTreeSet<u32> = replies.map(|reply| reply.message_id).collect();
        (ids.len() >= CHECKS).then_some(ids)
    })?;
    // With the flow at its end there are only checks left to spray, so each edge has its turn.
    for capture in &stage.at_edges {
        capture.wait(LIMIT, |packet| packet.ike(Ike::INFORMATIONAL, false).is_some())?;
    }
    reporter.measured(format!(
        "{} dead-peer checks answered, asked at every edge",
        answered.len()
    ));

    let told = std::time::SystemTime::now();
    charon.terminate(&tunnel.name, LIMIT)?;
    let last = stage
        .gone(Outer::V4.anycast(), spi)?
        .into_iter()
        .max()
        .unwrap_or(told);
    reporter.measured(format!(
        "gone everywhere {:.1} ms after the customer was told to end it",
        milliseconds(told, last)
    ));
    Ok(())
}
