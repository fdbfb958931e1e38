//! What a store needs of whatever keeps it.

use bytes::Bytes;

use super::error::Fault;
use crate::log::state::Counters;
use crate::log::transaction::Writes;

/// Keeps records and counters. A redb file is one; anything that can compare one value and write many at once can be.
pub(crate) trait Engine: Send {
    /// Reads everything: at the start, and before the next commit after one that was not [`CommitOutcome::Committed`].
    fn load(&mut self) -> Result<Loaded, Fault>;

    /// Writes all of a batch or nothing of it, and returns when it is durable. `expected` is what the batch was made on:
    /// when the counters that are kept are others, nothing is written. All of them are compared and not the revision
    /// alone, since a batch that only purges tombstones has no revision of its own. `None` expects that there are none yet. An
    /// empty batch is compared and needs no write.
    fn commit(&mut self, expected: Option<&Counters>, batch: &[Writes]) -> CommitOutcome;
}

/// All that an engine keeps.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// `None` for a new store.
    pub(crate) counters: Option<Counters>,
    /// Encoded, in any order.
    pub(crate) records: Vec<Bytes>,
}

/// What has become of a batch.
#[derive(Debug)]
pub(crate) enum CommitOutcome {
    /// It is durable.
    Committed,
    /// Nothing is written, since the counters are not the expected ones.
    HeadDiffers,
    /// All of it is there or nothing, and this is why nobody knows which.
    Unknown(Fault),
}
