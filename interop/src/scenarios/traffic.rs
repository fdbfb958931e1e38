//! What most scenarios send through a tunnel.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::guest::network::{Customer, Network, ORIGIN};
use crate::guest::traffic::ping::ping;
use crate::report::Count;
use crate::scenarios::steady::Steady;

const PINGS: u32 = 10;
const SOME_PINGS: u32 = 3;
const PING_INTERVAL: Duration = Duration::from_millis(200);

/// Has the network deliver to each edge in turn, the answers going back the same way, and pings from the first customer.
pub(crate) fn ping_through_each(
    network: &Network,
    from: IpAddr,
    to: IpAddr,
) -> Result<BTreeMap<String, Count>> {
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
pub(crate) fn all_answered(pings: &BTreeMap<String, Count>) -> Result<()> {
    for (edge, Count { sent, received }) in pings {
        ensure!(
            sent == received && *sent == u64::from(PINGS),
            "{edge} answered {received} of {sent} pings"
        );
    }
    Ok(())
}

/// The customer reaches the origin, by whatever edge the network delivers to.
pub(crate) fn some_gets_through(customer: &Customer) -> Result<()> {
    let Count { sent, received } = ping(
        &customer.namespace,
        customer.inner.into(),
        ORIGIN.into(),
        SOME_PINGS,
        PING_INTERVAL,
    )?;
    ensure!(
        sent == received,
        "{} had {received} of {sent} pings answered",
        customer.namespace.name()
    );
    Ok(())
}

/// Pings by way of each edge, and a flow that the network takes through all of them: everything is answered.
pub(crate) fn all_gets_through(network: &Network, from: IpAddr, to: IpAddr) -> Result<Count> {
    all_answered(&ping_through_each(network, from, to)?)?;
    let steady = Steady::between(network, from, to)?;
    steady.tour(network)?;
    steady.stop(network)
}
