//! Hybrid key exchange with ML-KEM, with strongSwan 6.1 as the customer.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::guest::network::{ORIGIN, Outer, Plan};
use crate::guest::peers::charon::{Charon, Release};
use crate::guest::peers::connection::Connection;
use crate::guest::peers::tunnel::Tunnel;
use crate::guest::stage::{LIMIT, Stage};
use crate::report::Reporter;
use crate::scenarios::rekey::by_fleet::by_fleet;
use crate::scenarios::rekey::{ike_spi, is_another_ike_sa, replacement_of};
use crate::scenarios::{Scenario, traffic};

pub(crate) const BY_CUSTOMER: Scenario = Scenario {
    name: "ml-kem",
    claim: "X25519, P-256 and P-384 with ML-KEM-768 and -1024 beside them set a tunnel up, which works at every edge; so do rekeys with them",
    limit: Duration::from_secs(1200),
    run,
};

pub(crate) const BY_FLEET: Scenario = Scenario {
    name: "ml-kem-own",
    claim: "a customer that takes no rekey without ML-KEM is rekeyed by the fleet, and no packet is lost",
    limit: Duration::from_secs(600),
    run: |reporter| {
        by_fleet(reporter, |stage| {
            let (hybrid, _) = HYBRIDS[0];
            Ok((hybrid.to_owned(), order(stage, &[hybrid])?))
        })
    },
};

/// As strongSwan's configuration says it, and as its list of SAs does.
const HYBRIDS: [(&str, &str); 6] = [
    ("x25519-ke1_mlkem768", "CURVE_25519/KE1_ML_KEM_768"),
    ("x25519-ke1_mlkem1024", "CURVE_25519/KE1_ML_KEM_1024"),
    ("ecp256-ke1_mlkem768", "ECP_256/KE1_ML_KEM_768"),
    ("ecp256-ke1_mlkem1024", "ECP_256/KE1_ML_KEM_1024"),
    ("ecp384-ke1_mlkem768", "ECP_384/KE1_ML_KEM_768"),
    ("ecp384-ke1_mlkem1024", "ECP_384/KE1_ML_KEM_1024"),
];

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::default())?;
    let charon = order(&stage, &HYBRIDS.map(|(hybrid, _)| hybrid))?;
    for (hybrid, listed) in HYBRIDS {
        try_out(hybrid, listed, &stage, &charon)?;
        reporter.measured(hybrid);
    }
    Ok(())
}

/// The operator adds the first customer's tunnel, and the customer starts its daemon with a connection for each of these key
/// exchanges, in both phases.
fn order(stage: &Stage, hybrids: &[&str]) -> Result<Charon> {
    let customer = &stage.network.customers[0];
    let tunnel = Tunnel::of(customer);
    stage.fleet.add(&tunnel)?;
    let connection = |hybrid: &&str| Connection {
        name: (*hybrid).to_owned(),
        ike: format!("aes256gcm16-prfsha384-{hybrid}"),
        esp: format!("aes256gcm16-{hybrid}"),
        ..tunnel.connection(customer.outer(Outer::V4), Outer::V4)
    };
    let connections: Vec<_> = hybrids.iter().map(connection).collect();
    Charon::start_release(Release::Newer, &customer.namespace, &connections, "")
}

/// Sets the tunnel up, sends pings through each edge, rekeys both SAs with the same key exchanges, and takes it down.
fn try_out(hybrid: &str, listed: &str, stage: &Stage, charon: &Charon) -> Result<()> {
    charon.initiate(hybrid, LIMIT)?;
    let sas = charon.list_sas()?;
    ensure!(sas.contains(listed), "no {listed} in {sas}");
    works(stage)?;

    let before = ike_spi(stage)?;
    charon.rekey_ike(hybrid)?;
    is_another_ike_sa(stage, &before)?;
    let old = stage.shared_spi(Outer::V4.anycast())?;
    charon.rekey_child(hybrid)?;
    let spi = replacement_of(stage, old)?;
    works(stage)?;
    // Both have had one of their own: of the child SA, too, charon lists its key exchanges.
    let sas = charon.list_sas()?;
    ensure!(sas.matches(listed).count() == 2, "not twice {listed} in {sas}");
    charon.terminate(hybrid, LIMIT)?;
    stage.gone(Outer::V4.anycast(), spi).map(drop)
}

fn works(stage: &Stage) -> Result<()> {
    let from = stage.network.customers[0].inner.into();
    traffic::all_answered(&traffic::ping_through_each(&stage.network, from, ORIGIN.into())?)
}
