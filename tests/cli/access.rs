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
fn only_an_operators_certificate_opens_the_operators_service() {
    let hub = Hub::start(&["e1"]);
    status_with(&hub, &hub, "ann").expect(0);
    status_with(&hub, &hub, "e1")
        .expect(5)
        .complains(&["only an operator", "edge e1"]);
    status_with(&hub, &hub, "hub")
        .expect(5)
        .complains(&["only an operator"]);
}

#[test]
fn an_operator_does_not_trust_another_fleets_distributor() {
    let (hub, other) = (Hub::start(&[]), Hub::start(&[]));
    status_with(&hub, &other, "ann")
        .expect(5)
        .complains(&["no connection", "invalid peer certificate"]);
}

#[test]
fn a_distributor_does_not_trust_another_fleets_operator() {
    let (mut hub, other) = (Hub::start(&[]), Hub::start(&[]));
    for file in ["ann.pem", "ann.key"] {
        fs::copy(other.path(file), hub.path(file)).unwrap();
    }
    hub.operator("fleet status")
        .expect(5)
        .complains(&["does not accept this certificate"]);
    let (_, log) = hub.stop("-TERM");
    assert!(log.contains("certificate"), "{log}");
}

#[test]
fn a_distributor_that_is_away_is_told() {
    let mut hub = Hub::start(&[]);
    hub.stop("-KILL");
    hub.operator("fleet status")
        .expect(5)
        .complains(&["no connection", &hub.url(), "refused"]);
}
