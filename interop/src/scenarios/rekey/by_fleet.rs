//! The fleet rekeys where the customer does not.

use std::time::Duration;

use anyhow::Result;

use super::{
    TIMES, deleted, ends_everywhere, ike_spi, is_another_ike_sa, replacement_of, restart_owner,
    sends_on_the_new_one,
};
use crate::guest::network::{Outer, Plan};
use crate::guest::peers::charon::Charon;
use crate::guest::stage::{LIMIT, Stage};
use crate::report::Reporter;
use crate::scenarios::Scenario;
use crate::scenarios::steady::Steady;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "rekey-own",
    claim: "a customer that never rekeys is rekeyed by the fleet, and no packet is lost",
    limit: Duration::from_secs(600),
    run: |reporter| {
        by_fleet(reporter, |stage| {
            let (tunnel, charon) = stage.order(0, Outer::V4)?;
            Ok((tunnel.name, charon))
        })
    },
};

/// With the first customer and its connection's name.
pub(crate) fn by_fleet(
    reporter: &mut Reporter,
    customer: impl FnOnce(&Stage) -> Result<(String, Charon)>,
) -> Result<()> {
    let limits = "[limits]\nrekey_child_seconds = 20\nrekey_ike_seconds = 50\n";
    let mut stage = Stage::set_with(Plan::default(), limits)?;
    let (connection, charon) = customer(&stage)?;
    charon.initiate(&connection, LIMIT)?;
    let mut spi = stage.shared_spi(Outer::V4.anycast())?;
    let before = ike_spi(&stage)?;
    let traffic = Steady::start(&stage.network)?;
    for _ in 0..TIMES {
        traffic.tour(&stage.network)?;
        spi = replacement_of(&stage, spi)?;
        sends_on_the_new_one(&stage)?;
    }
    is_another_ike_sa(&stage, &before)?;
    reporter.measured(format!("{TIMES} rekeys of the child SA, and one of the IKE SA"));

    restart_owner(&mut stage, &traffic)?;
    replacement_of(&stage, spi)?;
    reporter.measured("one more by the process that has taken over");
    let count = traffic.stop_after(deleted(&stage), &stage.network)?;
    reporter.measured(format!("{} datagrams, {} answers", count.sent, count.received));
    let last = stage.shared_spi(Outer::V4.anycast())?;
    ends_everywhere(&stage, &charon, &connection, last)
}
