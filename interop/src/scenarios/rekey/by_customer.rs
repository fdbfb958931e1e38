//! The customer rekeys, as most routers do.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};

use super::{
    TIMES, deleted, ends_everywhere, ike_spi, is_another_ike_sa, replacement_of, restart_owner,
    sends_on_the_new_one,
};
use crate::guest::network::{Outer, Plan};
use crate::guest::peers::connection::Connection;
use crate::guest::stage::LIMIT;
use crate::guest::stage::Stage;
use crate::guest::watch::packet::Ike;
use crate::report::Reporter;
use crate::scenarios::Scenario;
use crate::scenarios::steady::Steady;

pub(crate) const PLAIN: Scenario = Scenario {
    name: "rekey",
    claim: "the customer rekeys its child SA, then its IKE SA, again and again: no packet is lost, and every edge has the new SA before the reply",
    limit: Duration::from_secs(600),
    run: |reporter| by_customer(reporter, |_| {}),
};

pub(crate) const WITH_PFS: Scenario = Scenario {
    name: "rekey-pfs",
    claim: "the same with a key exchange of its own in each rekey of a child SA",
    limit: Duration::from_secs(600),
    run: |reporter| by_customer(reporter, |connection| connection.esp.push_str("-x25519")),
};

fn by_customer(reporter: &mut Reporter, change: impl FnOnce(&mut Connection)) -> Result<()> {
    let mut stage = Stage::set(Plan::default())?;
    let (tunnel, charon) = stage.order_with(0, Outer::V4, change)?;
    charon.initiate(&tunnel.name, LIMIT)?;
    let mut spi = stage.shared_spi(Outer::V4.anycast())?;
    let traffic = Steady::start(&stage.network)?;

    for _ in 0..TIMES {
        let asked = SystemTime::now();
        charon.rekey_child(&tunnel.name)?;
        traffic.tour(&stage.network)?;
        let new = replacement_of(&stage, spi)?;
        was_everywhere_before_the_reply(&stage, new, asked)?;
        sends_on_the_new_one(&stage)?;
        spi = new;
    }
    reporter.measured(format!("{TIMES} rekeys of the child SA"));

    for _ in 0..TIMES {
        let before = ike_spi(&stage)?;
        charon.rekey_ike(&tunnel.name)?;
        traffic.tour(&stage.network)?;
        is_another_ike_sa(&stage, &before)?;
        ensure!(
            stage.shared_spi(Outer::V4.anycast())? == spi,
            "the child SA changed with its IKE SA"
        );
    }
    reporter.measured(format!("{TIMES} rekeys of the IKE SA, which keeps its child SA"));

    // What the owner's daemon knows of all this outlives it.
    restart_owner(&mut stage, &traffic)?;
    charon.rekey_child(&tunnel.name)?;
    traffic.tour(&stage.network)?;
    let last = replacement_of(&stage, spi)?;
    let count = traffic.stop_after(deleted(&stage), &stage.network)?;
    reporter.measured(format!("{} datagrams, {} answers", count.sent, count.received));
    ends_everywhere(&stage, &charon, &tunnel.name, last)
}

/// The first CREATE_CHILD_SA reply since `asked` left after the last edge had the SA.
fn was_everywhere_before_the_reply(stage: &Stage, spi: u32, asked: SystemTime) -> Result<()> {
    let installed = stage.installed(Outer::V4.anycast(), spi)?;
    let last = installed.into_iter().max().context("no edges")?;
    let replies = stage.at_edges.iter().flat_map(|capture| capture.packets());
    let first = replies
        .filter(|packet| packet.time > asked && packet.ike(Ike::CREATE_CHILD_SA, true).is_some())
        .map(|reply| reply.time)
        .min()
        .context("no edge has answered the rekey")?;
    ensure!(
        first > last,
        "the reply left before the last edge had {spi:#010x}"
    );
    Ok(())
}
