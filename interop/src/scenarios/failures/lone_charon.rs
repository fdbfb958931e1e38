//! The lab without our fleet: what must fail there fails, so that what passes elsewhere means something.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::guest::network::{Network, ORIGIN, ORIGIN_PREFIXES, Outer, Plan};
use crate::guest::peers::charon::Charon;
use crate::guest::peers::connection::{Connection, Credentials};
use crate::guest::traffic::flow::{Echo, Flow};
use crate::guest::watch::capture::Capture;
use crate::guest::watch::kernel;
use crate::guest::watch::monitor::{Monitor, What};
use crate::guest::watch::packet::{Ike, Packet};
use crate::report::Reporter;
use crate::scenarios::Scenario;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "lone-charon",
    claim: "a responder that shares nothing loses the tunnel when the network switches to another edge",
    limit: Duration::from_secs(600),
    run,
};

const LIMIT: Duration = Duration::from_secs(120);

fn run(reporter: &mut Reporter) -> Result<()> {
    let network = Network::build(Plan::default())?;
    let (customer, edge) = (&network.customers[0], &network.edges[0]);
    let anycast = Outer::V4.anycast();
    let here = Connection {
        name: "net".into(),
        local: Some(customer.outer.into()),
        remote: Some(anycast),
        local_id: "customer.example".into(),
        remote_id: "fleet.example".into(),
        credentials: Credentials::Psk("the lab's own key".into()),
        ppk: None,
        ike: "aes256gcm16-prfsha256-x25519".into(),
        esp: "aes256gcm16".into(),
        local_ts: vec![customer.prefixes[0].clone()],
        remote_ts: vec![ORIGIN_PREFIXES[0].into()],
        dpd_seconds: 0,
        settings: Vec::new(),
    };
    let there = here.mirrored();

    let capture = Capture::start(&customer.namespace, "up")?;
    let monitor = Monitor::start(edge)?;
    let _responder = Charon::start(edge, &[there], "")?;
    let initiator = Charon::start(&customer.namespace, &[here], "")?;
    initiator.initiate("net", LIMIT)?;
    let asked = capture.wait(LIMIT, |packet| packet.ike(Ike::SA_INIT, false).is_some())?;
    let answered = capture.wait(LIMIT, |packet| packet.ike(Ike::AUTH, true).is_some())?;
    let handshake = answered.time.duration_since(asked.time)?;

    let inbound = kernel::sas(edge)?
        .into_iter()
        .find(|sa| sa.destination == anycast)
        .context("no inbound SA")?;
    let installed = monitor.wait(LIMIT, &[What::Added, What::Updated], anycast, inbound.spi)?;
    ensure!(
        installed < answered.time,
        "the reply left before the SA was installed"
    );
    reporter.measured(format!("handshake {:.1} ms", handshake.as_secs_f64() * 1e3));

    let echo = Echo::start(&network.origin, ORIGIN.into())?;
    let flow = Flow::start(&customer.namespace, customer.inner.into(), ORIGIN.into(), 100)?;
    flow.wait_for_answers(100, LIMIT)?;
    network.deliver_to(1)?;
    ensure!(
        flow.wait_for_answers(10, Duration::from_secs(1)).is_err(),
        "another edge answered without an SA"
    );
    network.deliver_to(0)?;
    flow.wait_for_answers(100, LIMIT)?;
    let outcome = flow.stop();
    ensure!(echo.stop() == outcome.answered, "the way back lost packets");
    ensure!(
        outcome.gaps().len() == 1,
        "one gap was expected: {:?}",
        outcome.gaps()
    );
    reporter.measured(format!(
        "{} of {} answered: {:?}",
        outcome.received(),
        outcome.sent,
        outcome.gaps()
    ));

    let on_the_wire = capture
        .packets()
        .iter()
        .filter_map(Packet::esp_spi)
        .filter(|spi| *spi == inbound.spi)
        .count();
    ensure!(
        on_the_wire as u64 == outcome.sent,
        "{on_the_wire} ESP packets for {} datagrams",
        outcome.sent
    );
    let decrypted = kernel::find(edge, anycast, inbound.spi)?
        .context("the SA is gone")?
        .packets;
    ensure!(decrypted == outcome.received(), "{decrypted} decrypted");
    Ok(())
}
