//! The unit and integration tests of the whole workspace, one test program after the other.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::libtest;
use super::step::{Outcome, Steps};
use crate::host::build::{self, Kind, TestProgram};
use crate::host::command::attempt;

/// For one test program, and for the examples in the documentation.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// The integration tests that need a kernel with ESP, and root: the guest runs them.
const KERNEL_TESTS: &str = "kernel";

/// Runs all but the kernel tests, whose program it returns if it could be built.
pub(super) fn all(steps: &mut Steps) -> Option<PathBuf> {
    let mut programs = Vec::new();
    steps.take("tests: build", || {
        programs = build::test_programs()?;
        Ok(Outcome::default())
    });
    let is_for_guest =
        |program: &TestProgram| program.kind == Kind::Integration && program.name == KERNEL_TESTS;
    let (kernel_tests, programs): (Vec<_>, Vec<_>) = programs.into_iter().partition(is_for_guest);

    for program in programs {
        steps.take(&name(&program), || {
            run(Command::new(&program.file).current_dir(&program.package))
        });
    }
    steps.take("tests: examples in documentation", || {
        run(build::cargo().args(["test", "--quiet", "--workspace", "--all-features", "--doc"]))
    });
    kernel_tests.into_iter().next().map(|program| program.file)
}

fn name(program: &TestProgram) -> String {
    match program.kind {
        Kind::Library => format!("tests: library {}", program.name),
        Kind::Program => format!("tests: program {}", program.name),
        Kind::Integration => format!("tests: integration {}", program.name),
    }
}

fn run(command: &mut Command) -> Result<Outcome> {
    let attempt = attempt(LIMIT, command)?;
    Ok(libtest::outcome(&attempt.output, attempt.ended_well))
}
