//! A customer behind a NAT that changes addresses and ports.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::guest::network::{ORIGIN, Outer, Plan};
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::kernel;
use crate::guest::watch::packet::{Content, Ike};
use crate::report::Reporter;
use crate::scenarios::{Scenario, traffic};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "nat",
    claim: "behind a NAT strongSwan moves to port 4500, and ESP in UDP gets through every edge",
    limit: Duration::from_secs(600),
    run,
};

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::behind_nat())?;
    let anycast = Outer::V4.anycast();
    let (_tunnel, _charon, spi) = stage.connect(0, Outer::V4)?;
    let customer = &stage.network.customers[0];

    let request = stage.at_edges[0].wait(LIMIT, |packet| packet.ike(Ike::AUTH, false).is_some())?;
    ensure!(
        request.destination.port() == 4500,
        "IKE_AUTH to {}",
        request.destination
    );
    ensure!(
        request.source.ip() == customer.public,
        "IKE_AUTH from {}, not from the NAT",
        request.source
    );
    ensure!(
        request.source.port() != 4500,
        "the lab's NAT does not change ports"
    );
    for edge in &stage.network.edges {
        let sa = kernel::find(edge, anycast, spi)?.context("no inbound SA")?;
        let ports = Some((request.source.port(), 4500));
        ensure!(
            sa.encapsulation == ports,
            "{}: {:?} instead of {ports:?}",
            edge.name(),
            sa.encapsulation
        );
    }

    let count = traffic::all_gets_through(&stage.network, customer.inner.into(), ORIGIN.into())?;
    reporter.measured(format!("{} of {} answered", count.received, count.sent));
    for capture in &stage.at_edges {
        let esp: Vec<_> = capture
            .packets()
            .into_iter()
            .filter(|packet| packet.esp_spi().is_some())
            .collect();
        ensure!(!esp.is_empty(), "an edge saw no ESP");
        let bare = esp.iter().filter(|packet| packet.source.port() == 0).count();
        ensure!(bare == 0, "{bare} ESP packets without UDP");
    }
    let keep_alives = stage.at_edges.iter().flat_map(|capture| capture.packets());
    let keep_alives =
        keep_alives.filter(|packet| packet.content == Content::KeepAlive && packet.source.ip() == anycast);
    ensure!(
        keep_alives.count() == 0,
        "we are not behind the NAT, and keep nothing alive"
    );
    Ok(())
}
