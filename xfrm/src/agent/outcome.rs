//! What came of a pass over the kernel.

use std::collections::{BTreeMap, BTreeSet};

use crate::objects::{Effect, Step};
use crate::{Failure, Subject};

/// What one pass over the kernel found and did, in interfaces, routes, SAs and policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Were there already, as wanted.
    pub adopted: usize,
    /// Were missing, or had to be made anew.
    pub added: usize,
    /// Were changed in place: counters and sequence numbers go on.
    pub updated: usize,
    /// Unwanted ones of ours that were removed, and what stood in the way.
    pub removed: usize,
    /// What the kernel refused in this pass, one for each tunnel or child.
    pub failures: Vec<Failure>,
}

/// What became of a plan.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) added: usize,
    pub(super) updated: usize,
    pub(super) removed: usize,
    /// Of steps that were done.
    pub(super) done: BTreeSet<Subject>,
    pub(super) failures: Vec<Failure>,
    /// The kernel was not as the plan took it to be.
    pub(super) drifted: bool,
}

impl Outcome {
    pub(super) fn count(&mut self, step: &Step) {
        self.done.insert(step.subject);
        match step.action.effect() {
            Effect::Adds => self.added += 1,
            Effect::Updates => self.updated += 1,
            Effect::Removes => self.removed += 1,
            Effect::Completes => {}
        }
    }
}

/// What fails first is the cause; the rest of the same subject follows from it.
pub(super) fn first_of_each(failures: impl Iterator<Item = Failure>) -> BTreeMap<Subject, Failure> {
    let mut first = BTreeMap::new();
    for failure in failures {
        first.entry(failure.subject).or_insert(failure);
    }
    first
}
