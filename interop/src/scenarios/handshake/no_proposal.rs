//! A customer that proposes only what we refuse, first for the IKE SA, then for the child SA.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::guest::network::{Outer, Plan};
use crate::guest::peers::connection::Connection;
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::packet::Ike;
use crate::report::Reporter;
use crate::scenarios::Scenario;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "no-proposal",
    claim: "without a common proposal the customer is told NO_PROPOSAL_CHOSEN, and no kernel hears of an SA",
    limit: Duration::from_secs(600),
    run,
};

/// Payload type of a notify (RFC 7296 section 3.2).
const NOTIFY: u8 = 41;

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::of_customers(2))?;

    let weak_ike = |connection: &mut Connection| connection.ike = "aes128-sha1-modp1024".to_owned();
    let (tunnel, charon) = stage.order_with(0, Outer::V4, weak_ike)?;
    ensure!(
        !charon.try_initiate(&tunnel.name, LIMIT)?.status.success(),
        "a weak IKE proposal was taken"
    );
    charon.wait_for_line("received NO_PROPOSAL_CHOSEN notify error", LIMIT)?;
    let reply = stage.at_customers[0].wait(LIMIT, |packet| packet.ike(Ike::SA_INIT, true).is_some())?;
    let payload = reply.ike(Ike::SA_INIT, true).map(|ike| ike.next_payload);
    ensure!(
        payload == Some(NOTIFY),
        "the reply starts with payload {payload:?}"
    );
    let went_on = stage.at_customers[0]
        .packets()
        .iter()
        .any(|packet| packet.ike(Ike::AUTH, false).is_some());
    ensure!(!went_on, "there was an IKE_AUTH all the same");
    reporter.measured("no common IKE proposal: refused in IKE_SA_INIT");

    let weak_esp = |connection: &mut Connection| connection.esp = "aes128-sha1".to_owned();
    let (tunnel, charon) = stage.order_with(1, Outer::V4, weak_esp)?;
    ensure!(
        !charon.try_initiate(&tunnel.name, LIMIT)?.status.success(),
        "a weak ESP proposal was taken"
    );
    charon.wait_for_line("received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", LIMIT)?;
    reporter.measured("no common ESP proposal: refused in IKE_AUTH");

    stage.untouched()
}
