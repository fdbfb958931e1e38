//! One step of the suite after the other: its name when it begins, its time and result when it ends.

use std::fmt;
use std::io::{Write, stdout};
use std::ops::AddAssign;
use std::time::Instant;

use anyhow::{Error, Result};

/// How many checks and tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u32,
    pub(super) failed: u32,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// What came of one step.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) tally: Tally,
    /// What a reader must see: why something failed, or why something was not done.
    pub(super) said: String,
}

impl Outcome {
    /// One check that passed.
    pub(super) fn passed() -> Self {
        let tally = Tally { passed: 1, failed: 0 };
        let said = String::new();
        Self { tally, said }
    }

    /// One check that failed, and why.
    pub(super) fn failed(why: String) -> Self {
        let tally = Tally { passed: 0, failed: 1 };
        Self { tally, said: why }
    }

    /// The step itself went wrong, which counts like a failed check.
    pub(super) fn broken(error: &Error) -> Self {
        Self::failed(format!("{error:?}"))
    }

    /// Nothing to count, and perhaps why.
    pub(super) fn uncounted(said: impl Into<String>) -> Self {
        let said = said.into();
        Self {
            said,
            ..Self::default()
        }
    }
}

/// All steps so far.
#[derive(Default)]
pub(super) struct Steps {
    tally: Tally,
}

impl Steps {
    /// Takes a step from its beginning to its end.
    pub(super) fn take(&mut self, name: &str, work: impl FnOnce() -> Result<Outcome>) {
        let step = Step::begin(name);
        let outcome = work().unwrap_or_else(|error| Outcome::broken(&error));
        self.end(step, &outcome);
    }

    /// Shows and counts what came of a step.
    pub(super) fn end(&mut self, step: Step, outcome: &Outcome) {
        self.tally += outcome.tally;
        let result = match outcome.tally {
            Tally { passed: 0, failed: 0 } => "done".to_owned(),
            Tally { passed, failed: 0 } => format!("{passed} passed"),
            tally => format!("{tally}  <== FAILED"),
        };
        println!("{:>7.1} s  {result}", step.begun.elapsed().as_secs_f64());
        for line in outcome.said.trim_end().lines() {
            println!("    {line}");
        }
    }

    /// Writes the last line and returns whether all passed.
    pub(super) fn close(self) -> bool {
        println!("{}", self.tally);
        self.tally.failed == 0
    }
}

/// A step that has begun; its name stands on a line that its result will end.
pub(super) struct Step {
    begun: Instant,
}

impl Step {
    /// Shows its name.
    pub(super) fn begin(name: &str) -> Self {
        print!("{name:<40}");
        let _ = stdout().flush();
        let begun = Instant::now();
        Self { begun }
    }
}
