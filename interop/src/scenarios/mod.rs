//! What must be true, one file each. A scenario asserts on captures, on kernels or on what arrived, never on our own logs.

mod algorithms;
mod by_hand;
mod certificates;
mod childless;
mod crowd;
mod customer_delete;
mod daemon_restart;
mod distributor_restart;
mod flood;
mod fragments;
mod garbage;
mod ipv6;
mod kernel_refusal;
mod lone_charon;
mod lost_store;
mod ml_kem;
mod moves;
mod nat;
mod no_proposal;
mod port_move;
mod ppk;
mod readme;
mod redirect;
mod rekey;
mod repair;
mod same_prefix;
mod selectors;
mod spray;
mod steady;
pub mod story;
mod traffic;
mod twice;
mod virtual_ip;
mod wrong_key;

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

/// All of them, in the order they are run in.
pub const ALL: &[Scenario] = &[
    lone_charon::SCENARIO,
    story::SCENARIO,
    ipv6::SCENARIO,
    nat::SCENARIO,
    port_move::SCENARIO,
    moves::OF_THE_NAT,
    moves::OF_THE_CUSTOMER,
    fragments::SCENARIO,
    spray::SCENARIO,
    twice::SCENARIO,
    customer_delete::SCENARIO,
    wrong_key::SCENARIO,
    childless::SCENARIO,
    redirect::SCENARIO,
    certificates::GOOD,
    certificates::BAD,
    ppk::SCENARIO,
    no_proposal::SCENARIO,
    algorithms::SCENARIO,
    ml_kem::BY_CUSTOMER,
    ml_kem::BY_FLEET,
    selectors::SCENARIO,
    virtual_ip::SCENARIO,
    distributor_restart::SCENARIO,
    daemon_restart::PLAIN,
    daemon_restart::BEHIND_NAT,
    lost_store::SCENARIO,
    rekey::BY_CUSTOMER,
    rekey::WITH_PFS,
    rekey::BY_FLEET,
    repair::SCENARIO,
    same_prefix::SCENARIO,
    crowd::SCENARIO,
    garbage::SCENARIO,
    flood::SCENARIO,
    kernel_refusal::SCENARIO,
    by_hand::SCENARIO,
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

/// From `from` to `to`, negative when `to` was first.
fn milliseconds(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(after) => after.as_secs_f64() * 1e3,
        Err(before) => -before.duration().as_secs_f64() * 1e3,
    }
}
