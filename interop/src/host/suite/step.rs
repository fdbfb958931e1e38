//! What a step of the suite comes to, counted; and all steps so far, whichever of them run at once.

use std::fmt;
use std::ops::AddAssign;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Error, Result};

use super::choice::Choice;
use super::table::{self, Group, Row};
use crate::host::command::Attempt;

/// How many checks and tests passed, failed, and could not be done here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u32,
    pub(super) failed: u32,
    pub(super) skipped: u32,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.skipped += more.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        match self.skipped {
            0 => Ok(()),
            skipped => write!(f, ", {skipped} skipped"),
        }
    }
}

/// What came of one step.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) tally: Tally,
    /// What a reader must see: why something failed, or why something was not done.
    pub(super) said: String,
    /// The processor time that it took, as far as that is known.
    pub(super) processor: Duration,
}

impl Outcome {
    /// One check that passed.
    pub(super) fn passed() -> Self {
        let passed = 1;
        Self::counted(
            Tally {
                passed,
                ..Tally::default()
            },
            "",
        )
    }

    /// One check that failed, and why.
    pub(super) fn failed(why: impl Into<String>) -> Self {
        let failed = 1;
        Self::counted(
            Tally {
                failed,
                ..Tally::default()
            },
            why,
        )
    }

    /// One check that cannot be done here, and why.
    pub(super) fn skipped(why: impl Into<String>) -> Self {
        let skipped = 1;
        Self::counted(
            Tally {
                skipped,
                ..Tally::default()
            },
            why,
        )
    }

    /// The step itself went wrong, which counts like a failed check.
    pub(super) fn broken(error: &Error) -> Self {
        Self::failed(format!("{error:?}"))
    }

    /// One check that passed or failed as this program did.
    pub(super) fn of(attempt: Attempt) -> Self {
        let outcome = match attempt.ended_well {
            true => Self::passed(),
            false => Self::failed(attempt.output),
        };
        outcome.took(attempt.processor)
    }

    /// The same, with so much processor time.
    pub(super) fn took(self, processor: Duration) -> Self {
        Self { processor, ..self }
    }

    pub(super) fn counted(tally: Tally, said: impl Into<String>) -> Self {
        Self {
            tally,
            said: said.into(),
            processor: Duration::ZERO,
        }
    }
}

/// All steps that have ended. Any thread may take one.
pub(super) struct Steps {
    choice: Choice,
    ended: Mutex<(Tally, Vec<Row>)>,
}

impl Steps {
    /// Those that are chosen will be taken.
    pub(super) fn new(choice: Choice) -> Self {
        let ended = Mutex::default();
        Self { choice, ended }
    }

    /// Which.
    pub(super) fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Takes a step if it is chosen.
    pub(super) fn take(&self, group: Group, name: &str, work: impl FnOnce() -> Result<Outcome>) {
        if self.choice.wants(name) {
            self.must(group, name, work);
        }
    }

    /// Takes a step that others need, chosen or not.
    pub(super) fn must(&self, group: Group, name: &str, work: impl FnOnce() -> Result<Outcome>) {
        let begun = Instant::now();
        let outcome = work().unwrap_or_else(|error| Outcome::broken(&error));
        self.end(group, name, begun.elapsed(), &outcome);
    }

    /// Shows and counts what came of a step that took so long.
    pub(super) fn end(&self, group: Group, name: &str, wall: Duration, outcome: &Outcome) {
        let mut ended = self.ended();
        let (tally, rows) = &mut *ended;
        *tally += outcome.tally;
        rows.push(Row {
            group,
            name: name.to_owned(),
            wall,
            processor: outcome.processor,
        });
        println!(
            "{:>7.1} s  {name:<44} {}",
            wall.as_secs_f64(),
            verdict(outcome.tally)
        );
        for line in outcome.said.trim_end().lines() {
            println!("    {line}");
        }
    }

    /// Shows where the time went, writes the last line and returns whether all passed.
    pub(super) fn close(self) -> bool {
        let ended = self.ended();
        let (tally, rows) = &*ended;
        println!("\n{}\n", table::of(rows, self.choice.begun().elapsed()));
        println!("{tally}");
        tally.failed == 0
    }

    /// A step is whole when it is noted, so a panic elsewhere does not spoil the others.
    fn ended(&self) -> MutexGuard<'_, (Tally, Vec<Row>)> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn verdict(tally: Tally) -> String {
    match tally {
        Tally {
            passed: 0,
            failed: 0,
            skipped: 0,
        } => "done".to_owned(),
        Tally {
            passed: 0, failed: 0, ..
        } => "skipped".to_owned(),
        Tally {
            passed, failed: 0, ..
        } => format!("{passed} passed"),
        tally => format!("{tally}  <== FAILED"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_tells_what_was_skipped_only_if_something_was() {
        let mut tally = Tally::default();
        tally += Outcome::passed().tally;
        tally += Outcome::failed("no").tally;
        assert_eq!(tally.to_string(), "1 passed, 1 failed");
        tally += Outcome::skipped("not here").tally;
        assert_eq!(tally.to_string(), "1 passed, 1 failed, 1 skipped");
    }
}
