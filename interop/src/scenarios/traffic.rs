//! What most scenarios send through a tunnel: pings by way of each edge, and a flow that the network switches in mid-stream.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::guest::flow::{Echo, Flow, Outcome};
use crate::guest::ping::ping;
use crate::guest::stage::Stage;
use crate::report::Count;

const PINGS: u32 = 10;
const PING_INTERVAL: Duration = Duration::from_millis(200);

/// Has the network deliver to each edge in turn, the answers going back the same way, and pings from the first customer.
pub(super) fn ping_through_each(stage: &Stage, from: IpAddr, to: IpAddr) -> Result<BTreeMap<String, Count>> {
    let network = &stage.network;
    let mut answered = BTreeMap::new();
    for (edge, namespace) in network.edges.iter().enumerate() {
        network.deliver_to(edge)?;
        network.return_via(edge)?;
        let count = ping(&network.customers[0].namespace, from, to, PINGS, PING_INTERVAL)?;
        answered.insert(namespace.name().to_owned(), count);
    }
    Ok(answered)
}

/// Every ping was answered.
pub(super) fn all_answered(pings: &BTreeMap<String, Count>) -> Result<()> {
    for (edge, Count { sent, received }) in pings {
        ensure!(sent == received && *sent == u64::from(PINGS), "{edge} answered {received} of {sent} pings");
    }
    Ok(())
}

/// A flow under a network that changes its mind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switching {
    /// Datagrams a second.
    pub(super) rate: u32,
    /// How long.
    pub(super) length: Duration,
    /// How often the network switches meanwhile, at even distances.
    pub(super) switches: u32,
}

/// Sends the flow from the first customer to the origin. At each switch the network takes the next edge for the way there and
/// another for the way back. `tell` is told of each.
pub(super) fn flow_while_switching(
    stage: &Stage,
    from: IpAddr,
    to: IpAddr,
    switching: Switching,
    mut tell: impl FnMut(String),
) -> Result<Outcome> {
    let Switching { rate, length, switches } = switching;
    let network = &stage.network;
    let edges = network.edges.len();
    let echo = Echo::start(&network.origin, to)?;
    let begun = Instant::now();
    let flow = Flow::start(&network.customers[0].namespace, from, to, rate)?;
    for switch in 1..=switches {
        thread::sleep((begun + length * switch / (switches + 1)).saturating_duration_since(Instant::now()));
        let there = switch as usize % edges;
        let back = (switch as usize + 1) % edges;
        network.deliver_to(there)?;
        network.return_via(back)?;
        tell(format!(
            "{:4.1} s: to the origin through {}, back through {}",
            begun.elapsed().as_secs_f64(),
            network.edge_name(there),
            network.edge_name(back)
        ));
    }
    thread::sleep((begun + length).saturating_duration_since(Instant::now()));
    let outcome = flow.stop();
    let reached = echo.stop().len();
    ensure!(
        outcome.gaps().is_empty(),
        "{reached} of {} reached the origin; of the answers, {}",
        outcome.sent,
        outcome.gaps().join(", ")
    );
    Ok(outcome)
}

/// Pings by way of each edge, and a short flow with three switches: everything is answered.
pub(super) fn all_gets_through(stage: &Stage, from: IpAddr, to: IpAddr) -> Result<Outcome> {
    all_answered(&ping_through_each(stage, from, to)?)?;
    let switching = Switching { rate: 100, length: Duration::from_secs(4), switches: 3 };
    flow_while_switching(stage, from, to, switching, |_| {})
}
