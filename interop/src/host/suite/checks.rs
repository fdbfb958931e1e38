//! What is checked of the source: form, lints, dependencies, documentation.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::step::{Outcome, Steps};
use crate::host::build::cargo;
use crate::host::command::attempt;
use crate::host::requirements;

/// For a check that compiles everything.
const COMPILING: Duration = Duration::from_secs(15 * 60);
/// For one that only reads.
const READING: Duration = Duration::from_secs(2 * 60);

/// All of them.
pub(super) fn all(steps: &mut Steps) {
    steps.take("format", || {
        check(READING, cargo().args(["fmt", "--all", "--check"]))
    });
    steps.take("lints", || {
        let scope = [
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--all-features",
        ];
        check(COMPILING, cargo().args(scope).args(["--", "--deny", "warnings"]))
    });
    steps.take("documentation", || {
        let scope = ["doc", "--quiet", "--workspace", "--no-deps", "--all-features"];
        check(
            COMPILING,
            cargo().args(scope).env("RUSTDOCFLAGS", "--deny warnings"),
        )
    });
    steps.take("requirements, documents, words", requirements);
    steps.take("dependencies: bans, licences, sources", || {
        check(READING, deny().args(["check", "bans", "licenses", "sources"]))
    });
    steps.take("dependencies: advisories", advisories);
}

/// Quotes of RFCs, the tests of each rule, and what documents say of the project.
fn requirements() -> Result<Outcome> {
    let faults = requirements::check()?.faults;
    Ok(if faults.is_empty() {
        Outcome::passed()
    } else {
        Outcome::failed(faults.join("\n"))
    })
}

/// The database of advisories comes from the network, which not every machine that tests may reach.
fn advisories() -> Result<Outcome> {
    let fetched = attempt(READING, deny().args(["fetch", "db"]))?;
    if !fetched.ended_well {
        return Ok(Outcome::uncounted(
            "not checked: the advisory database cannot be had from here",
        ));
    }
    check(READING, deny().args(["check", "--disable-fetch", "advisories"]))
}

fn deny() -> Command {
    let mut command = cargo();
    command.args(["deny", "--all-features", "--log-level", "error"]);
    command
}

fn check(limit: Duration, command: &mut Command) -> Result<Outcome> {
    let attempt = attempt(limit, command)?;
    Ok(if attempt.ended_well {
        Outcome::passed()
    } else {
        Outcome::failed(attempt.output)
    })
}
