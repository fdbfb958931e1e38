//! Customers with a post-quantum pre-shared key, and without.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::guest::network::{Customer, Outer, Plan};
use crate::guest::peers::certificates::{Authority, KeyKind};
use crate::guest::peers::connection::{Credentials, Ppk};
use crate::guest::peers::tunnel::{FLEET_ID, Tunnel};
use crate::guest::stage::{LIMIT, Stage};
use crate::report::Reporter;
use crate::scenarios::{Scenario, traffic};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "ppk",
    claim: "a PPK (RFC 8784) that both sides have is used, with PSKs and certificates; who requires one gets no tunnel without",
    limit: Duration::from_secs(1200),
    run,
};

/// A customer, and what becomes of it.
struct Case {
    words: &'static str,
    certificates: bool,
    theirs: Option<Ppk>,
    ours: Option<Ppk>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    With,
    Without,
    Refused,
}

fn cases() -> [Case; 6] {
    let ppk = |id: &str, required| {
        Some(Ppk {
            id: id.to_owned(),
            key: format!("the key called {id}, which has octets enough"),
            required,
        })
    };
    let wrong = Ppk {
        id: "same".to_owned(),
        key: "a key that the fleet has never heard of".to_owned(),
        required: false,
    };
    let case = |words, theirs, ours, end| Case {
        words,
        certificates: false,
        theirs,
        ours,
        end,
    };
    [
        case(
            "required by both",
            ppk("first", true),
            ppk("first", true),
            End::With,
        ),
        Case {
            certificates: true,
            ..case(
                "with certificates, required by nobody",
                ppk("second", false),
                ppk("second", false),
                End::With,
            )
        },
        case(
            "another than the fleet's, required by nobody",
            ppk("new", false),
            ppk("old", false),
            End::Without,
        ),
        case(
            "the customer has none, the fleet requires none",
            None,
            ppk("unused", false),
            End::Without,
        ),
        case(
            "the customer has none, the fleet requires one",
            None,
            ppk("needed", true),
            End::Refused,
        ),
        case(
            "another key of the same name",
            Some(wrong),
            ppk("same", false),
            End::Refused,
        ),
    ]
}

fn run(reporter: &mut Reporter) -> Result<()> {
    let cases = cases();
    let stage = Stage::set(Plan::of_customers(cases.len()))?;
    for (customer, case) in cases.into_iter().enumerate() {
        let words = format!("{}: {:?}", case.words, case.end);
        try_out(case, &stage, customer)?;
        reporter.measured(words);
    }
    Ok(())
}

fn try_out(case: Case, stage: &Stage, number: usize) -> Result<()> {
    let customer = &stage.network.customers[number];
    let name = customer.namespace.name();
    let psk = Tunnel::of(customer);
    let (ours, theirs) = match case.certificates {
        true => certificates(customer)?,
        false => (psk.credentials.clone(), psk.credentials.clone()),
    };
    let tunnel = Tunnel {
        credentials: ours,
        ppk: case.ours,
        ..psk
    };
    let charon = stage.order_tunnel(number, &tunnel, Outer::V4, "", |connection| {
        (connection.credentials, connection.ppk) = (theirs, case.theirs);
    })?;

    let said = charon.try_initiate(name, LIMIT)?;
    if case.end == End::Refused {
        ensure!(!said.status.success(), "{name} was let in");
        return charon.wait_for_line("received AUTHENTICATION_FAILED notify error", LIMIT);
    }
    ensure!(said.status.success(), "{name} was not let in: {said:?}");
    match case.end {
        End::With => charon.wait_for_line("using PPK for PPK_ID", LIMIT)?,
        End::Without | End::Refused => {}
    }
    // The keys of a second child SA come of it too.
    charon.rekey_child(name)?;
    traffic::some_gets_through(customer)
}

/// The fleet's, and the customer's.
fn certificates(customer: &Customer) -> Result<(Credentials, Credentials)> {
    let root = Authority::root(&customer.namespace, "root", KeyKind::Ecdsa)?;
    let issue = |name, id| root.issue(name, id, KeyKind::Ecdsa, &root);
    let ours = issue("fleet", FLEET_ID)?;
    let theirs = issue("customer", &Tunnel::of(customer).remote_id)?;
    Ok((Credentials::Certificates(ours), Credentials::Certificates(theirs)))
}
