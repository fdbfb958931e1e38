//! The move from port 500 to 4500 behind a NAT, when the two ports lead to different edges.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::guest::network::{ORIGIN, Outer, Plan};
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::packet::Ike;
use crate::report::Reporter;
use crate::scenarios::{Scenario, traffic};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "port-move",
    claim: "IKE_SA_INIT at one edge and all that follows at another: the tunnel comes up, and the customer can end it",
    limit: Duration::from_secs(600),
    run,
};

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::behind_nat())?;
    let (first, second) = (&stage.at_edges[0], &stage.at_edges[1]);
    stage.network.deliver_port_to(4500, 1)?;
    let (tunnel, charon, spi) = stage.connect(0, Outer::V4)?;

    first.wait(LIMIT, |packet| packet.ike(Ike::SA_INIT, false).is_some())?;
    second.wait(LIMIT, |packet| packet.ike(Ike::AUTH, false).is_some())?;
    ensure!(
        !first
            .packets()
            .iter()
            .any(|packet| packet.ike(Ike::AUTH, false).is_some()),
        "the lab did not part the ports"
    );
    let reply = stage.at_customers[0].wait(LIMIT, |packet| packet.ike(Ike::AUTH, true).is_some())?;
    ensure!(
        reply.source.ip() == Outer::V4.anycast(),
        "answered from {}",
        reply.source
    );
    let sa = stage.fleet.read(&["sa", "list"])?;
    reporter.measured(format!(
        "IKE_SA_INIT at e1, IKE_AUTH at e2; the owner is {}",
        sa[0]["owner"]
    ));

    let customer = &stage.network.customers[0];
    traffic::all_gets_through(&stage.network, customer.inner.into(), ORIGIN.into())?;
    charon.terminate(&tunnel.name, LIMIT)?;
    stage.gone(Outer::V4.anycast(), spi)?;
    Ok(())
}
