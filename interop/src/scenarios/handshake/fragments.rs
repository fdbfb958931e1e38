//! A network that takes no large packets, and no two of them the same way.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::guest::network::{ORIGIN, Outer, Plan};
use crate::guest::peers::tunnel::Tunnel;
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::packet::{Ike, Packet};
use crate::report::Reporter;
use crate::scenarios::{Scenario, traffic};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "fragments",
    claim: "IKE_AUTH comes in fragments, each at another edge (RFC 7383); its answer leaves in fragments, and the tunnel works",
    limit: Duration::from_secs(600),
    run,
};

/// Octets of charon's largest packet with a fragment in it.
const CUSTOMERS_PACKET: u32 = 300;

/// Octets of an IKE message in a packet of 576, the recommended size over IPv4 (RFC 7383 section 2.5.1).
const OUR_MESSAGE: u32 = 576 - 20 - 8 - 4;

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::default())?;
    stage.network.spray()?;
    let customer = &stage.network.customers[0];
    // So many selectors that the answer does not fit into one packet either.
    let subnets = |second: u8, third: u8| (0..16).map(move |n| format!("10.{second}.{third}.{}/28", 16 * n));
    let tunnel = Tunnel {
        local_ts: subnets(2, 0).collect(),
        remote_ts: subnets(1, 1).collect(),
        ..Tunnel::of(customer)
    };
    let settings = format!("fragment_size = {CUSTOMERS_PACKET}");
    let charon = stage.order_tunnel(0, &tunnel, Outer::V4, &settings, |_| {})?;
    charon.initiate(&tunnel.name, LIMIT)?;
    let spi = stage.shared_spi(Outer::V4.anycast())?;

    for capture in &stage.at_edges {
        capture.wait(LIMIT, |packet| fragment(packet, false).is_some())?;
    }
    let seen = stage.at_customers[0].packets();
    let sizes = |is_response| -> Vec<u32> {
        let fragments = seen.iter().filter_map(|packet| fragment(packet, is_response));
        fragments.map(|ike| ike.length).collect()
    };
    let (asked, answered) = (sizes(false), sizes(true));
    ensure!(
        asked.len() > 2 && answered.len() > 1,
        "{asked:?} and {answered:?}"
    );
    ensure!(
        answered.iter().all(|length| *length <= OUR_MESSAGE),
        "{answered:?}"
    );
    reporter.measured(format!(
        "IKE_AUTH in fragments of {asked:?} octets, answered in {answered:?}"
    ));

    traffic::all_gets_through(&stage.network, customer.inner.into(), ORIGIN.into())?;
    charon.terminate(&tunnel.name, LIMIT)?;
    stage.gone(Outer::V4.anycast(), spi)?;
    Ok(())
}

/// An IKE_AUTH message that is a fragment.
fn fragment(packet: &Packet, is_response: bool) -> Option<&Ike> {
    packet
        .ike(Ike::AUTH, is_response)
        .filter(|ike| ike.next_payload == Ike::FRAGMENT)
}
