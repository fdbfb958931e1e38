//! What must be true, one file each. A scenario asserts on captures, on kernels or on what arrived, never on our own logs.

pub(crate) mod docs;
mod failures;
mod handshake;
mod hostile;
mod mobility;
mod rekey;
mod scale;
mod steady;
mod traffic;

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use crate::report::Reporter;

/// A story with an end.
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What is true when it passes.
    pub claim: &'static str,
    /// It has failed when it takes longer: generous, for emulated machines on busy ones.
    pub limit: Duration,
    /// Plays it in the working directory.
    pub run: fn(&mut Reporter) -> Result<()>,
}

/// All of them, the longest first: so no machine is left with one of those when the others have done all else.
pub const ALL: &[Scenario] = &[
    scale::crowd::SCENARIO,
    docs::by_hand::SCENARIO,
    handshake::ml_kem::BY_CUSTOMER,
    rekey::by_fleet::SCENARIO,
    handshake::ml_kem::BY_FLEET,
    rekey::by_customer::WITH_PFS,
    rekey::by_customer::PLAIN,
    handshake::algorithms::SCENARIO,
    hostile::garbage::SCENARIO,
    handshake::ipv6::SCENARIO,
    handshake::ppk::SCENARIO,
    handshake::selectors::SCENARIO,
    handshake::certificates::GOOD,
    docs::story::SCENARIO,
    failures::lone_charon::SCENARIO,
    mobility::nat::SCENARIO,
    mobility::port_move::SCENARIO,
    mobility::moves::OF_THE_NAT,
    mobility::moves::OF_THE_CUSTOMER,
    handshake::fragments::SCENARIO,
    mobility::spray::SCENARIO,
    handshake::twice::SCENARIO,
    handshake::customer_delete::SCENARIO,
    handshake::wrong_key::SCENARIO,
    handshake::childless::SCENARIO,
    handshake::redirect::SCENARIO,
    handshake::certificates::BAD,
    handshake::no_proposal::SCENARIO,
    handshake::virtual_ip::SCENARIO,
    failures::distributor_restart::SCENARIO,
    failures::daemon_restart::PLAIN,
    failures::daemon_restart::BEHIND_NAT,
    failures::lost_store::SCENARIO,
    failures::repair::SCENARIO,
    scale::same_prefix::SCENARIO,
    hostile::flood::SCENARIO,
    failures::kernel_refusal::SCENARIO,
];

/// The scenario of that name.
///
/// # Errors
/// There is none.
pub fn find(name: &str) -> Result<&'static Scenario> {
    ALL.iter()
        .find(|scenario| scenario.name == name)
        .with_context(|| format!("no scenario {name}"))
}

/// Whether it proves something of Debian's stock kernel, or of a whole Debian system: the main job, a module that is missing, servers
/// that someone sets up by hand.
pub fn wants_stock_kernel(scenario: &Scenario) -> bool {
    let wanting = [
        docs::story::SCENARIO,
        docs::by_hand::SCENARIO,
        failures::kernel_refusal::SCENARIO,
    ];
    wanting.iter().any(|wanting| wanting.name == scenario.name)
}

/// Whether it does something to the machine that others would notice: takes a module away, or a processor for itself.
pub fn must_be_alone(scenario: &Scenario) -> bool {
    let alone = [failures::kernel_refusal::SCENARIO, hostile::flood::SCENARIO];
    alone.iter().any(|alone| alone.name == scenario.name)
}

/// From `from` to `to`, negative when `to` was first.
fn milliseconds(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(after) => after.as_secs_f64() * 1e3,
        Err(before) => -before.duration().as_secs_f64() * 1e3,
    }
}
