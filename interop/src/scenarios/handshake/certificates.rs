//! Customers that prove who they are by certificates, as strongSwan's own tool makes them.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::guest::network::{Outer, Plan};
use crate::guest::peers::certificates::{Authority, Certificates, KeyKind};
use crate::guest::peers::charon::Charon;
use crate::guest::peers::connection::Credentials;
use crate::guest::peers::tunnel::{FLEET_ID, Tunnel};
use crate::guest::stage::{LIMIT, Stage};
use crate::report::Reporter;
use crate::scenarios::{Scenario, traffic};

pub(crate) const GOOD: Scenario = Scenario {
    name: "certificates",
    claim: "customers with RSA, ECDSA and Ed25519 certificates, below an intermediate authority too, get their tunnels",
    limit: Duration::from_secs(1200),
    run: good,
};

pub(crate) const BAD: Scenario = Scenario {
    name: "bad-certificates",
    claim: "a revoked certificate and one of another authority are refused, and no kernel hears of an SA",
    limit: Duration::from_secs(1200),
    run: bad,
};

fn good(reporter: &mut Reporter) -> Result<()> {
    let kinds = [KeyKind::Rsa, KeyKind::Ecdsa, KeyKind::Ed25519];
    let stage = Stage::set(Plan::of_customers(kinds.len()))?;
    for (number, kind) in kinds.into_iter().enumerate() {
        let customer = &stage.network.customers[number];
        let name = customer.namespace.name();
        let root = Authority::root(&customer.namespace, &format!("root-{name}"), kind)?;
        let middle = root.intermediate(&format!("middle-{name}"), kind)?;
        let ours = middle.issue(&format!("fleet-{name}"), FLEET_ID, kind, &root)?;
        let theirs = middle.issue(name, &Tunnel::of(customer).remote_id, kind, &root)?;
        let charon = order(&stage, number, ours, theirs)?;
        charon.initiate(name, LIMIT)?;
        traffic::some_gets_through(customer)?;
        reporter.measured(format!(
            "{kind:?} below an intermediate authority: up, 3 of 3 pings"
        ));
    }
    Ok(())
}

fn bad(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::of_customers(2))?;
    let [first, second] = &stage.network.customers[..] else {
        anyhow::bail!("two customers were asked for");
    };
    let root = Authority::root(&first.namespace, "root", KeyKind::Ecdsa)?;
    let other = Authority::root(&first.namespace, "other", KeyKind::Ecdsa)?;

    let theirs = root.issue("revoked", &Tunnel::of(first).remote_id, KeyKind::Ecdsa, &root)?;
    let ours = Certificates {
        crl: Some(root.crl(&["revoked"])?),
        ..root.issue("fleet", FLEET_ID, KeyKind::Ecdsa, &root)?
    };
    is_refused(&stage, 0, &ours, theirs)?;
    reporter.measured("revoked: refused with AUTHENTICATION_FAILED");

    let theirs = other.issue("stranger", &Tunnel::of(second).remote_id, KeyKind::Ecdsa, &root)?;
    is_refused(&stage, 1, &ours, theirs)?;
    reporter.measured("of another authority: refused with AUTHENTICATION_FAILED");

    stage.untouched()?;
    let listed = stage.fleet.read(&["sa", "list"])?;
    ensure!(listed == json!([]), "an IKE SA is listed: {listed}");
    Ok(())
}

fn is_refused(stage: &Stage, customer: usize, ours: &Certificates, theirs: Certificates) -> Result<()> {
    let charon = order(stage, customer, ours.clone(), theirs)?;
    let name = stage.network.customers[customer].namespace.name();
    ensure!(
        !charon.try_initiate(name, LIMIT)?.status.success(),
        "{name} was let in"
    );
    charon.wait_for_line("received AUTHENTICATION_FAILED notify error", LIMIT)
}

/// As [`Stage::order`], with certificates for each side.
fn order(stage: &Stage, customer: usize, ours: Certificates, theirs: Certificates) -> Result<Charon> {
    let tunnel = Tunnel {
        credentials: Credentials::Certificates(ours),
        ..Tunnel::of(&stage.network.customers[customer])
    };
    stage.order_tunnel(customer, &tunnel, Outer::V4, "", |connection| {
        connection.credentials = Credentials::Certificates(theirs);
    })
}
