//! What needs the lab's kernel: the tests of `xfrm` against it, and the scenarios.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::libtest;
use super::step::{Outcome, Step, Steps};
use crate::host::{build, lab, lab_dir};
use crate::report::Line;

/// For the kernel tests, on an emulated machine.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Runs the program of the kernel tests, which is missing when it did not compile.
pub(super) fn kernel_tests(steps: &mut Steps, program: Option<PathBuf>) {
    steps.take("tests: integration kernel, in the guest", || {
        let program = program.context("there is no such test program")?;
        let mut output = String::new();
        let code = lab::run(&lab_dir().join("kernel"), &[&program], &[], LIMIT, |text| {
            output += text;
            output.push('\n');
        })?;
        Ok(libtest::outcome(&output, code == 0))
    });
}

/// Plays all scenarios in one boot.
pub(super) fn scenarios(steps: &mut Steps) {
    let mut product = None;
    steps.take("lab: build", || {
        product = Some(build::product()?);
        Ok(Outcome::default())
    });
    let Some(product) = product else { return };

    let mut playing = None;
    let played = lab::play(product, Vec::new(), |line| follow(steps, &mut playing, line));
    if let Err(error) = played {
        let (step, account) = playing
            .map(|playing| (playing.step, playing.account))
            .unwrap_or_else(|| (Step::begin("lab"), String::new()));
        steps.end(step, &Outcome::broken(&error.context(account)));
    }
}

/// A scenario that has begun.
struct Playing {
    step: Step,
    /// What it has told so far, shown if it fails.
    account: String,
}

fn follow(steps: &mut Steps, playing: &mut Option<Playing>, line: &Line) {
    match line {
        Line::Begin { scenario } => {
            *playing = Some(Playing {
                step: Step::begin(&format!("lab: {scenario}")),
                account: String::new(),
            });
        }
        Line::Step(text) | Line::Measured(text) | Line::Output(text) => {
            if let Some(playing) = playing {
                playing.account += text;
                playing.account.push('\n');
            }
        }
        Line::End { failure, .. } => {
            let Some(Playing { step, account }) = playing.take() else {
                return;
            };
            let outcome = match failure {
                None => Outcome::passed(),
                Some(failure) => Outcome::failed(account + failure),
            };
            steps.end(step, &outcome);
        }
        Line::Figures(_) | Line::Exit(_) => {}
    }
}
