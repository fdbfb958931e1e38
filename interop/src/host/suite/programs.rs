//! The unit and integration tests of the whole workspace, one test program after the other.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::lab::{self, Programs};
use super::step::{Outcome, Steps};
use super::table::Group;
use super::{checks, fuzz, libtest};
use crate::host::build::{self, Build, Kind, TestProgram};
use crate::host::command::attempt;

/// For one test program, and for the examples in the documentation.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// The integration tests that need a kernel with ESP, and root: the guest runs them.
const KERNEL_TESTS: &str = "kernel";

/// Whether any of its steps may be chosen, or of the lab's. The tests' own names are not known before they are built; what has its
/// name in another group is not looked for here.
pub(super) fn are_wanted(steps: &Steps) -> bool {
    let elsewhere = |part: &String| {
        let names = checks::STEPS.iter().chain(&[fuzz::STEP]);
        names
            .into_iter()
            .any(|name| name.contains(part.as_str()) || part.contains(name))
    };
    lab::is_wanted(steps) || !steps.choice().only.as_ref().is_some_and(elsewhere)
}

/// Builds them and the product. Returns what is for the lab, and the tests that are for here; nothing, if it does not compile.
pub(super) fn build(steps: &Steps) -> Option<(Programs, Vec<TestProgram>)> {
    let mut built = None;
    steps.must(Group::Build, "tests and product: build", || {
        let Build {
            tests,
            mut product,
            processor,
        } = build::all()?;
        if steps.choice().is_long {
            product = build::product()?;
        }
        built = Some((tests, product));
        Ok(Outcome::default().took(processor))
    });
    let (tests, product) = built?;
    let is_for_guest =
        |program: &TestProgram| program.kind == Kind::Integration && program.name == KERNEL_TESTS;
    let (kernel_tests, tests): (Vec<_>, Vec<_>) = tests.into_iter().partition(is_for_guest);
    let kernel_tests: Option<PathBuf> = kernel_tests.into_iter().next().map(|program| program.file);
    let programs = Programs {
        product,
        kernel_tests,
    };
    Some((programs, tests))
}

/// Runs those that are for here.
pub(super) fn all(steps: &Steps, tests: Vec<TestProgram>) {
    for program in tests {
        steps.take(Group::Tests, &name(&program), || {
            run(Command::new(&program.file).current_dir(&program.package))
        });
    }
    steps.take(Group::Tests, "tests: examples in documentation", || {
        let scope = [
            "test",
            "--locked",
            "--quiet",
            "--workspace",
            "--all-features",
            "--doc",
        ];
        run(build::cargo().args(scope))
    });
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
    let outcome = libtest::outcome(&attempt.output, attempt.ended_well);
    Ok(outcome.took(attempt.processor))
}
