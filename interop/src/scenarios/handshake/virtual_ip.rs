//! A customer that has no address of its own behind its end of the tunnel, and asks for one.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::guest::network::{ORIGIN, Outer, Plan};
use crate::guest::peers::tunnel::Tunnel;
use crate::guest::stage::{LIMIT, Stage};
use crate::report::Reporter;
use crate::scenarios::{Scenario, traffic};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "virtual-ip",
    claim: "a customer that asks for an address gets its tunnel's, the same from whichever edge, and its packets pass",
    limit: Duration::from_secs(600),
    run,
};

/// Within the first customer's prefix.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 77);

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::default())?;
    let network = &stage.network;
    let customer = &network.customers[0];
    let tunnel = Tunnel {
        options: vec!["--address".to_owned(), ADDRESS.to_string()],
        ..Tunnel::of(customer)
    };
    let settings = "install_virtual_ip = yes";
    let charon = stage.order_tunnel(0, &tunnel, Outer::V4, settings, |connection| {
        connection.settings.push("vips = 0.0.0.0".to_owned());
        connection.local_ts = vec!["dynamic".to_owned()];
    })?;

    for edge in 0..network.edges.len() {
        network.deliver_to(edge)?;
        charon.initiate(&tunnel.name, LIMIT)?;
        let agreed = charon.list_sas()?;
        ensure!(
            agreed.contains(&format!("[{ADDRESS}]")) && agreed.contains(&format!("{ADDRESS}/32")),
            "{ADDRESS} was not given:\n{agreed}"
        );
        let spi = stage.shared_spi(Outer::V4.anycast())?;
        if edge == 0 {
            traffic::all_gets_through(network, IpAddr::from(ADDRESS), ORIGIN.into())?;
        }
        charon.terminate(&tunnel.name, LIMIT)?;
        stage.gone(Outer::V4.anycast(), spi)?;
    }
    reporter.measured(format!(
        "{ADDRESS} was given by every edge, and packets from it passed"
    ));
    Ok(())
}
