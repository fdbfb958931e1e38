//! Where the log survives.
//!
//! A store only has to survive: every question is answered from the [`State`] in memory, which is read from the store
//! once. What keeps it is an [`Engine`]; after a commit whose outcome it could not tell, the store is read again before
//! the next one, because nobody else can say what of it was written.

mod engine;
mod error;
#[cfg(test)]
pub(crate) mod memory;
pub(crate) mod redb;
#[cfg(test)]
mod tests;

use std::path::Path;

use proto::Record;
use ring::rand::{SecureRandom, SystemRandom};

use self::engine::{CommitOutcome, Engine, Loaded};
use self::error::Fault;
pub use self::error::StoreError;
use self::redb::Redb;
use crate::log::state::{Counters, State};
use crate::log::transaction::Writes;

/// An engine, and how far it can be trusted to hold what was last read or written.
pub(crate) struct Store {
    /// Of the engine, for errors.
    location: String,
    engine: Box<dyn Engine>,
    /// `Some`: it has to be read again before the next commit.
    doubt: Option<Doubt>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// Of the last commit all is there, or nothing.
    Unknown,
    /// Somebody else has committed.
    HeadDiffers,
}

/// Why a batch was not committed, as far as is known.
#[derive(Debug)]
pub(crate) enum CommitError {
    /// Somebody else has committed: the batch has to be made again on what they left. Nothing of it was written.
    HeadDiffers,
    /// It may have been written or not.
    Unknown(StoreError),
}

impl Store {
    /// Opens the file at `path`, or makes it, and reads all of it.
    pub(crate) fn open(path: &Path) -> Result<(Self, State), StoreError> {
        Self::open_with(path.display().to_string(), Box::new(Redb::new(path)))
    }

    /// Reads all that an engine has. One that has nothing becomes a new store.
    pub(crate) fn open_with(location: String, engine: Box<dyn Engine>) -> Result<(Self, State), StoreError> {
        let mut store = Self {
            location,
            engine,
            doubt: None,
        };
        let state = store.load().map_err(|fault| store.error(fault))?;
        Ok((store, state))
    }

    /// Reads the engine again when it may hold something else than `state`: the newer state, if that is so. An older one, or
    /// another store's, is refused again and again.
    pub(crate) fn resolve(&mut self, state: &State) -> Result<Option<State>, StoreError> {
        let Some(doubt) = self.doubt else {
            return Ok(None);
        };
        let found = self.load().map_err(|fault| self.error(fault))?;
        if found.head() < state.head() {
            return Err(self.error(Fault::Behind(found.head(), state.head())));
        }
        if found.counters().store != state.counters().store {
            return Err(self.error(Fault::AnotherStore));
        }
        let is_newer = found.counters() != state.counters();
        match doubt {
            Doubt::Unknown => tracing::info!(store = self.location, "the store can be written again"),
            Doubt::HeadDiffers if is_newer => {}
            Doubt::HeadDiffers => return Err(self.error(Fault::SameHead(found.head()))),
        }
        self.doubt = None;
        Ok(is_newer.then_some(found))
    }

    /// Writes all or nothing, on top of the state whose counters `made_on` are, and returns when it is durable.
    pub(crate) fn commit(&mut self, made_on: Counters, batch: &[Writes]) -> Result<(), CommitError> {
        if self.doubt.is_some() {
            return Err(CommitError::Unknown(self.error(Fault::Closed)));
        }
        match self.engine.commit(Some(&made_on), batch) {
            CommitOutcome::Committed => Ok(()),
            CommitOutcome::HeadDiffers => {
                self.doubt = Some(Doubt::HeadDiffers);
                Err(CommitError::HeadDiffers)
            }
            CommitOutcome::Unknown(fault) => {
                self.doubt = Some(Doubt::Unknown);
                Err(CommitError::Unknown(self.error(fault)))
            }
        }
    }

    fn load(&mut self) -> Result<State, Fault> {
        let Loaded { counters, records } = self.engine.load()?;
        let counters = match counters {
            Some(counters) => counters,
            None => self.create()?,
        };
        let records = records.into_iter().map(|encoded| {
            let record = Record::decode(encoded.clone())?;
            Ok((record, encoded))
        });
        Ok(State::restored(counters, records.collect::<Result<_, Fault>>()?))
    }

    /// Names a new store by a random number and writes that down.
    fn create(&mut self) -> Result<Counters, Fault> {
        tracing::warn!(
            store = self.location,
            "there was no store: this is a new one, and edges that come from another drop its tunnels and SAs"
        );
        let mut store = [0; 8];
        SystemRandom::new()
            .fill(&mut store)
            .map_err(|_| Fault::NoRandomness)?;
        let counters = Counters {
            store: u64::from_ne_bytes(store),
            head: 0,
            purged: 0,
            incarnation: 0,
            highest_slot: 0,
        };
        let first = Writes {
            put: Vec::new(),
            delete: Vec::new(),
            counters,
        };
        match self.engine.commit(None, &[first]) {
            CommitOutcome::Committed => Ok(counters),
            CommitOutcome::HeadDiffers => Err(Fault::AnotherStore),
            CommitOutcome::Unknown(fault) => Err(fault),
        }
    }

    fn error(&self, fault: Fault) -> StoreError {
        StoreError::new(self.location.clone(), fault)
    }
}
