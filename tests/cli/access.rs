//! Who may speak to the distributor, and how a refusal shows.

use std::fs;

use crate::hub::Hub;
use crate::program::{Ended, run};

/// Asks `hub` with the certificate that `name` has in `fleet`.
fn status_with(hub: &Hub, fleet: &Hub, name: &str) -> Ended {
    let config = hub.write_operator_config("other-operator.toml", fleet, name);
    run(["fleet", "status", "--config", config.to_str().unwrap()], "")
}

#[test]
fn only_an_operators_certificate_serves_an_operator() {
    let hub = Hub::start(&["e1"]);
    status_with(&hub, &hub, "ann").expect(0);
    status_with(&hub, &hub, "e1")
        .expect(2)
        .complains(&["e1.pem", "edge e1", "operator's", "pki issue"]);
    status_with(&hub, &hub, "hub")
        .expect(2)
        .complains(&["hub.pem", "distributor hub", "operator's"]);
}

#[test]
fn an_operator_does_not_trust_another_fleets_distributor() {
    let (mut hub, other) = (Hub::start(&[]), Hub::start(&[]));
    status_with(&hub, &other, "ann").expect(5).complains(&[
        "no connection",
        "invalid peer certificate",
        "`ca` names on this side",
    ]);
    let (_, log) = hub.stop("-TERM");
    assert!(log.contains("`ca` names on the other side"), "{log}");
}

#[test]
fn a_distributor_does_not_trust_another_fleets_operator() {
    let (mut hub, other) = (Hub::start(&[]), Hub::start(&[]));
    for file in ["ann.pem", "ann.key"] {
        fs::copy(other.path(file), hub.path(file)).unwrap();
    }
    hub.operator("fleet status")
        .expect(5)
        .complains(&["does not accept this certificate", "`ca` names there"]);
    hub.operator("fleet status").expect(5);
    let (_, log) = hub.stop("-TERM");
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("connection refused"))
        .collect();
    assert_eq!(lines.len(), 1, "a line a minute: {log}");
    assert!(lines[0].contains("`ca` names on this side"), "{log}");
}

#[test]
fn a_distributor_that_is_away_is_told() {
    let mut hub = Hub::start(&[]);
    hub.stop("-KILL");
    hub.operator("fleet status")
        .expect(5)
        .complains(&["no connection", &hub.url(), "refused"]);
}
