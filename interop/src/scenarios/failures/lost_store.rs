//! The whole fleet dies and its store is lost: the customer hears so at its next request (RFC 6290).

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::guest::network::{Outer, Plan};
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::packet::{Ike, Packet};
use crate::report::Reporter;
use crate::scenarios::Scenario;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "lost-store",
    claim: "a fleet that has lost its store answers a customer's check in the clear, with the token that only it can make",
    limit: Duration::from_secs(600),
    run,
};

/// The type of a notification, which in the clear stands first (RFC 7296 section 3.2).
const NOTIFY: u8 = 41;

/// Header, INVALID_IKE_SPI, and QUICK_CRASH_DETECTION with 16 octets.
const LENGTH: u32 = 28 + 8 + 24;

fn run(reporter: &mut Reporter) -> Result<()> {
    let mut stage = Stage::set(Plan::default())?;
    let (tunnel, charon) = stage.order_with(0, Outer::V4, |connection| connection.dpd_seconds = 5)?;
    charon.initiate(&tunnel.name, LIMIT)?;
    let capture = &stage.at_customers[0];
    let established = capture.wait(LIMIT, |packet| packet.ike(Ike::AUTH, true).is_some())?;
    let spi = established
        .ike(Ike::AUTH, true)
        .context("no IKE_AUTH")?
        .responder_spi;

    for edge in &mut stage.fleet.edges {
        edge.kill()?;
    }
    stage.fleet.distributor.kill()?;
    fs::remove_file("fleet.redb")?;
    stage.fleet.distributor.start()?;
    stage.fleet.distributor.wait_ready(LIMIT)?;
    for edge in &mut stage.fleet.edges {
        edge.start()?;
    }
    for edge in &mut stage.fleet.edges {
        edge.wait_ready(LIMIT)?;
    }

    let is_told = |packet: &Packet| {
        let answer = packet.ike(Ike::INFORMATIONAL, true);
        answer.is_some_and(|ike| (ike.responder_spi, ike.next_payload, ike.length) == (spi, NOTIFY, LENGTH))
    };
    capture.wait(LIMIT, is_told).context("nobody shows the token")?;
    reporter.measured("the customer was told");
    Ok(())
}
