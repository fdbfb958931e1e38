//! Many tunnels at once.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::guest::network::{ORIGIN, Outer, Plan};
use crate::guest::peers::charon::Charon;
use crate::guest::peers::connection::Credentials;
use crate::guest::peers::tunnel::Tunnel;
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::traffic::ping::ping;
use crate::guest::watch::monitor::What;
use crate::guest::watch::packet::Ike;
use crate::report::Reporter;
use crate::scenarios::Scenario;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "crowd",
    claim: "two hundred customers who connect at once are all served by every edge",
    limit: Duration::from_secs(1200),
    run,
};

const TUNNELS: u8 = 200;

/// Of so many tunnels one is pinged, through an edge in turn.
const SAMPLE: usize = 10;

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::default())?;
    let customer = &stage.network.customers[0];
    let tunnels: Vec<(Ipv4Addr, Tunnel)> = (1..=TUNNELS).map(|number| tunnel(&stage, number)).collect();
    let mut connections = Vec::new();
    for (inner, tunnel) in &tunnels {
        stage.fleet.add(tunnel)?;
        customer.namespace.ip(&format!("address add {inner}/32 dev lo"))?;
        connections.push(tunnel.connection(customer.outer(Outer::V4), Outer::V4));
    }
    reporter.measured(format!("{} tunnels added", tunnels.len()));

    let charon = Charon::start(&customer.namespace, &connections, "")?;
    initiate(&stage, &charon, &tunnels)?;
    same_everywhere(&stage)?;
    measure(&stage, reporter)?;

    for (number, (inner, tunnel)) in tunnels.iter().enumerate().step_by(SAMPLE) {
        let edge = number / SAMPLE % stage.network.edges.len();
        stage.network.deliver_to(edge)?;
        let interval = Duration::from_millis(200);
        let count = ping(&customer.namespace, (*inner).into(), ORIGIN.into(), 2, interval)?;
        ensure!(
            count.received == 2,
            "{} through {}: {count:?}",
            tunnel.name,
            stage.network.edge_name(edge)
        );
    }
    reporter.measured(format!(
        "every {SAMPLE}th of them pinged, through one edge after the other"
    ));
    Ok(())
}

/// Asks charon for all of them without waiting for any, and waits until the last is answered.
fn initiate(stage: &Stage, charon: &Charon, tunnels: &[(Ipv4Addr, Tunnel)]) -> Result<()> {
    tunnels
        .iter()
        .try_for_each(|(_, tunnel)| charon.begin(&tunnel.name))?;
    stage.at_customers[0].wait_until(LIMIT, |packets| {
        let replies = packets.iter().filter_map(|packet| packet.ike(Ike::AUTH, true));
        let answered: BTreeSet<u64> = replies.map(|reply| reply.initiator_spi).collect();
        (answered.len() == tunnels.len()).then_some(())
    })
}

fn tunnel(stage: &Stage, number: u8) -> (Ipv4Addr, Tunnel) {
    let inner = Ipv4Addr::new(10, 100, number, 1);
    let name = format!("t{number}");
    let tunnel = Tunnel {
        remote_id: format!("{name}.example"),
        credentials: Credentials::Psk(format!("a key that only {name} and the fleet know")),
        local_ts: vec![format!("{ORIGIN}/32")],
        remote_ts: vec![format!("{inner}/32")],
        name,
        ..Tunnel::of(&stage.network.customers[0])
    };
    (inner, tunnel)
}

/// Every edge has the inbound SAs of all tunnels, and they are the same.
fn same_everywhere(stage: &Stage) -> Result<()> {
    let mut first: Option<BTreeSet<(u32, u64)>> = None;
    for edge in 0..stage.network.edges.len() {
        let sas: BTreeSet<_> = stage
            .inbound(edge)?
            .iter()
            .map(|sa| (sa.spi, sa.key_print))
            .collect();
        ensure!(
            sas.len() == usize::from(TUNNELS),
            "{} has {}",
            stage.network.edge_name(edge),
            sas.len()
        );
        ensure!(
            first.is_none_or(|first| first == sas),
            "{} has others",
            stage.network.edge_name(edge)
        );
        first = Some(sas);
    }
    Ok(())
}

/// From the first request to the last installation.
fn measure(stage: &Stage, reporter: &mut Reporter) -> Result<()> {
    let first = stage.at_customers[0]
        .wait(LIMIT, |packet| packet.ike(Ike::SA_INIT, false).is_some())?
        .time;
    let events = stage.monitors.iter().flat_map(|monitor| monitor.events());
    let installed = events.filter(|event| matches!(event.what, What::Added | What::Updated));
    let last = installed
        .map(|event| event.time)
        .max()
        .context("nothing was installed")?;
    let seconds = last.duration_since(first)?.as_secs_f64();
    reporter.measured(format!("{TUNNELS} tunnels on three edges in {seconds:.1} s"));
    Ok(())
}
