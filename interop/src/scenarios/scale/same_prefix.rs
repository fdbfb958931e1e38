//! Two customers chose the same addresses.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::guest::network::{ORIGIN, Outer, Plan};
use crate::guest::peers::charon::Charon;
use crate::guest::peers::tunnel::Tunnel;
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::traffic::ping::ping;
use crate::report::Reporter;
use crate::scenarios::Scenario;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "same-prefix",
    claim: "two customers with the same inner prefix, each in a network namespace of its own, do not meet",
    limit: Duration::from_secs(480),
    run,
};

/// Their inner prefix and address; and what they reach has the same address too, on every edge.
const PREFIX: &str = "10.66.0.0/24";
const ADDRESS: [u8; 4] = [10, 66, 0, 1];
const NAMESPACES: [&str; 2] = ["red", "blue"];

/// Different numbers, so that they tell whose packets an SA carried.
const PINGS: [u32; 2] = [5, 8];

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::of_customers(2))?;
    let mut charons = Vec::new();
    for (customer, netns) in NAMESPACES.into_iter().enumerate() {
        for edge in &stage.network.edges {
            edge.ip(&format!(
                "netns add {netns}
                 netns exec {netns} ip link set lo up
                 netns exec {netns} ip address add {ORIGIN}/32 dev lo"
            ))?;
        }
        charons.push(connect(&stage, customer, netns)?);
    }
    let interval = Duration::from_millis(200);
    for (edge, name) in stage.network.edges.iter().enumerate() {
        stage.network.deliver_to(edge)?;
        let before = stage.inbound(edge)?;
        for (customer, pings) in stage.network.customers.iter().zip(PINGS) {
            let count = ping(
                &customer.namespace,
                ADDRESS.into(),
                ORIGIN.into(),
                pings,
                interval,
            )?;
            let whose = customer.namespace.name();
            ensure!(
                count.received == u64::from(pings),
                "{}: {whose} got {count:?}",
                name.name()
            );
        }
        let mut carried: Vec<u64> = stage
            .inbound(edge)?
            .iter()
            .zip(before)
            .map(|(after, before)| after.packets - before.packets)
            .collect();
        carried.sort_unstable();
        ensure!(
            carried == PINGS.map(u64::from),
            "{}: the SAs carried {carried:?}",
            name.name()
        );
        reporter.measured(format!(
            "{}: {PINGS:?} pings, each through its own SA",
            name.name()
        ));
    }
    Ok(())
}

fn connect(stage: &Stage, customer: usize, netns: &str) -> Result<Charon> {
    let host = &stage.network.customers[customer];
    let own = std::net::Ipv4Addr::from(ADDRESS);
    host.namespace.ip(&format!("address add {own}/32 dev lo"))?;
    let tunnel = Tunnel {
        local_ts: vec![format!("{ORIGIN}/32")],
        remote_ts: vec![PREFIX.to_owned()],
        netns: Some(netns.to_owned()),
        ..Tunnel::of(host)
    };
    let charon = stage.order_tunnel(customer, &tunnel, Outer::V4, "", |_| {})?;
    charon.initiate(&tunnel.name, LIMIT)?;
    Ok(charon)
}
