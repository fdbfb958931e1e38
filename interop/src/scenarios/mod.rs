//! What must be true, one file each. A scenario asserts on captures, on kernels or on what arrived, never on our own logs.

mod lone_charon;
pub mod story;

use std::time::Duration;

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
pub const ALL: &[Scenario] = &[story::SCENARIO, lone_charon::SCENARIO];

/// The scenario of that name.
///
/// # Errors
/// There is none.
pub fn find(name: &str) -> Result<&'static Scenario> {
    ALL.iter()
        .find(|scenario| scenario.name == name)
        .with_context(|| format!("no scenario {name}"))
}
