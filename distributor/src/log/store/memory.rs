//! An engine for tests. What it keeps outlives it, and several engines may share it, as several distributors would one cluster.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use proto::Key;

use super::engine::{CommitOutcome, Engine, Loaded};
use super::error::Fault;
use super::{Store, StoreError};
use crate::log::state::{Counters, State};
use crate::log::transaction::Writes;

/// What is kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    counters: Option<Counters>,
    records: BTreeMap<Key, Bytes>,
    fault: Option<MemoryFault>,
}

/// How commits fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemoryFault {
    /// For want of space, and nothing is written.
    Full,
    /// All is written, and the answer is lost.
    AnswerLost,
}

impl Memory {
    /// From now on.
    pub(crate) fn set_fault(&self, fault: Option<MemoryFault>) {
        self.lock().fault = fault;
    }

    pub(crate) fn open(&self) -> Result<(Store, State), StoreError> {
        Store::open_with("memory".to_owned(), Box::new(self.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for Memory {
    fn load(&mut self) -> Result<Loaded, Fault> {
        let content = self.lock();
        Ok(Loaded {
            counters: content.counters,
            records: content.records.values().cloned().collect(),
        })
    }

    fn commit(&mut self, expected: Option<&Counters>, batch: &[Writes]) -> CommitOutcome {
        let mut content = self.lock();
        if content.counters.as_ref() != expected {
            return CommitOutcome::HeadDiffers;
        }
        if batch.is_empty() {
            return CommitOutcome::Committed;
        }
        if content.fault == Some(MemoryFault::Full) {
            return unknown(ErrorKind::StorageFull.into());
        }
        for writes in batch {
            for entry in &writes.put {
                content.records.insert(entry.record.key(), entry.encoded.clone());
            }
            for key in &writes.delete {
                content.records.remove(key);
            }
            content.counters = Some(writes.counters);
        }
        match content.fault {
            Some(MemoryFault::AnswerLost) => unknown(ErrorKind::TimedOut.into()),
            Some(MemoryFault::Full) | None => CommitOutcome::Committed,
        }
    }
}

fn unknown(error: io::Error) -> CommitOutcome {
    CommitOutcome::Unknown(Fault::Engine(Box::new(error)))
}
