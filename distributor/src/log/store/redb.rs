//! The records on disk.
//!
//! The file only has to survive: every question is answered from the [`State`] in memory, which is read from the file
//! once. After a failed write the file is closed, and opened and read again before the next one, because nobody can
//! say what of the failed write it holds.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;
use proto::{Invalid, Key, Record, v1};
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition,
};
use ring::rand::{SecureRandom, SystemRandom};

use crate::log::state::{Counters, State};
use crate::log::transaction::Writes;

/// The schema's `Key` to its `Record`, both encoded.
const RECORDS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("records");

/// [`Counters`] by name, and the file's format.
const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");

const FORMAT: &str = "format";
const FORMAT_NOW: u64 = 1;
const STORE: &str = "store";
const HEAD: &str = "head";
const PURGED: &str = "purged";
const INCARNATION: &str = "incarnation";
const HIGHEST_SLOT: &str = "highest_slot";

/// Octets of redb's page cache: little, because nothing is read but at the start.
const CACHE: usize = 16 * 1024 * 1024;

/// A store that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("store {}: {fault}", path.display())]
pub struct StoreError {
    path: PathBuf,
    fault: Fault,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Database(redb::Error),
    #[error(
        "is damaged: {0}; move it away, start the distributor, and add the tunnels again; until it starts the edges go on \
         forwarding for the SA lease, and then they drop every SA, since the new store has none"
    )]
    Damaged(String),
    #[error("holds a record that breaks the schema: {0}")]
    Record(#[from] Invalid),
    #[error("has format {0}, and this program knows {FORMAT_NOW}")]
    Format(u64),
    #[error("holds no valid {0}")]
    Counter(&'static str),
    #[error("has lost revisions: it ends at {0}, and {1} was written")]
    Behind(u64, u64),
    #[error("the system gives no random numbers")]
    NoRandomness,
}

impl From<redb::Error> for Fault {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Corrupted(reason) => Self::Damaged(reason),
            // It is no file of redb's, or ends too early.
            redb::Error::Io(error)
                if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
            {
                Self::Damaged(error.to_string())
            }
            error => Self::Database(error),
        }
    }
}

impl StoreError {
    /// True when the file will not become better by itself.
    pub fn is_lasting(&self) -> bool {
        match self.fault {
            Fault::Damaged(_) | Fault::Record(_) | Fault::Format(_) | Fault::Counter(_) => true,
            Fault::Database(_) | Fault::Behind(..) | Fault::NoRandomness => false,
        }
    }
}

/// Opens the file: a function, so that a test can put another medium in its place.
pub(crate) type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

/// The file.
pub(crate) struct Store {
    path: PathBuf,
    opener: Opener,
    /// `None` after a failed write.
    database: Option<Database>,
}

impl Store {
    /// Opens the file at `path`, or makes it, and reads all of it.
    pub(crate) fn open(path: &Path) -> Result<(Self, State), StoreError> {
        let file = path.to_owned();
        let opener = Box::new(move || {
            check_not_empty(&file)?;
            builder().create(&file)
        });
        Self::open_with(path, opener)
    }

    pub(crate) fn open_with(path: &Path, opener: Opener) -> Result<(Self, State), StoreError> {
        let mut store = Self {
            path: path.to_owned(),
            opener,
            database: None,
        };
        let state = store.read().map_err(|fault| store.error(fault))?;
        Ok((store, state))
    }

    /// Opens and reads the file again when the last write has failed: the state it holds if that is a newer one than
    /// `state`, because the failed write got through after all.
    pub(crate) fn recover(&mut self, state: &State) -> Result<Option<State>, StoreError> {
        if self.database.is_some() {
            return Ok(None);
        }
        let found = self.read().map_err(|fault| self.error(fault))?;
        if found.head() < state.head() {
            self.database = None;
            return Err(self.error(Fault::Behind(found.head(), state.head())));
        }
        tracing::info!(store = %self.path.display(), "the store can be written again");
        Ok((found.counters() != state.counters()).then_some(found))
    }

    /// Writes all or nothing, and returns when it is on the disk.
    pub(crate) fn write(&mut self, batch: &[Writes]) -> Result<(), StoreError> {
        let Some(database) = &self.database else {
            return Err(self.error(redb::Error::DatabaseClosed.into()));
        };
        write(database, batch).map_err(|error| {
            self.database = None;
            self.error(error.into())
        })
    }

    fn read(&mut self) -> Result<State, Fault> {
        let database = (self.opener)().map_err(redb::Error::from)?;
        let counters = match read_counters(&database)? {
            Some(counters) => counters,
            None => {
                tracing::warn!(
                    store = %self.path.display(),
                    "there was no store: this is a new one, and edges that come from another drop its tunnels and SAs"
                );
                first_counters(&database)?
            }
        };
        let records = read_records(&database)?;
        self.database = Some(database);
        Ok(State::restored(counters, records))
    }

    fn error(&self, fault: Fault) -> StoreError {
        StoreError {
            path: self.path.clone(),
            fault,
        }
    }
}

/// redb takes a file without content for a new one, but ours has lost what it held, and every edge would drop it too.
fn check_not_empty(path: &Path) -> Result<(), DatabaseError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() == 0 => {
            let error = io::Error::new(ErrorKind::UnexpectedEof, "it is empty");
            Err(StorageError::from(error).into())
        }
        _ => Ok(()), // Whatever else is wrong with it, redb tells.
    }
}

/// The whole file is checked each time that it is opened: redb panics at some faults in one that it trusts.
fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    builder
}

fn write(database: &Database, batch: &[Writes]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut records = transaction.open_table(RECORDS)?;
        for writes in batch {
            for entry in &writes.put {
                records.insert(&*encode_key(&entry.record.key()), &*entry.encoded)?;
            }
            for key in &writes.delete {
                records.remove(&*encode_key(key))?;
            }
        }
        if let Some(last) = batch.last() {
            let mut table = transaction.open_table(COUNTERS)?;
            for (name, value) in named(&last.counters) {
                table.insert(name, value)?;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

fn encode_key(key: &Key) -> Vec<u8> {
    v1::Key::from(key).encode_to_vec()
}

fn named(counters: &Counters) -> [(&'static str, u64); 6] {
    [
        (FORMAT, FORMAT_NOW),
        (STORE, counters.store),
        (HEAD, counters.head),
        (PURGED, counters.purged),
        (INCARNATION, counters.incarnation.into()),
        (HIGHEST_SLOT, counters.highest_slot.into()),
    ]
}

/// `None` for a file that was just made.
fn read_counters(database: &Database) -> Result<Option<Counters>, Fault> {
    let transaction = database.begin_read().map_err(redb::Error::from)?;
    let table = match transaction.open_table(COUNTERS) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(redb::Error::from(error).into()),
    };
    let counter = |name: &'static str| -> Result<u64, Fault> {
        let value = table.get(name).map_err(redb::Error::from)?;
        value.map(|guard| guard.value()).ok_or(Fault::Counter(name))
    };
    let format = counter(FORMAT)?;
    if format != FORMAT_NOW {
        return Err(Fault::Format(format));
    }
    Ok(Some(Counters {
        store: counter(STORE)?,
        head: counter(HEAD)?,
        purged: counter(PURGED)?,
        incarnation: counter(INCARNATION)?
            .try_into()
            .map_err(|_| Fault::Counter(INCARNATION))?,
        highest_slot: counter(HIGHEST_SLOT)?
            .try_into()
            .map_err(|_| Fault::Counter(HIGHEST_SLOT))?,
    }))
}

/// Names a new store by a random number and writes that down.
fn first_counters(database: &Database) -> Result<Counters, Fault> {
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
    write(
        database,
        &[Writes {
            put: Vec::new(),
            delete: Vec::new(),
            counters,
        }],
    )?;
    Ok(counters)
}

fn read_records(database: &Database) -> Result<Vec<(Record, Bytes)>, Fault> {
    let transaction = database.begin_read().map_err(redb::Error::from)?;
    let table = transaction.open_table(RECORDS).map_err(redb::Error::from)?;
    let mut records = Vec::new();
    for row in table.iter().map_err(redb::Error::from)? {
        let (_, value) = row.map_err(redb::Error::from)?;
        let encoded = Bytes::copy_from_slice(value.value());
        records.push((Record::decode(encoded.clone())?, encoded));
    }
    Ok(records)
}

#[cfg(test)]
pub(crate) mod tests;
