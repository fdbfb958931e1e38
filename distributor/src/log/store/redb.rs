//! A file of redb's. After a commit that failed it is closed, and opened and checked again when it is read.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use bytes::Bytes;
use prost::Message;
use proto::{Key, v1};
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageError,
    Table, TableDefinition, TableError,
};

use super::engine::{CommitOutcome, Engine, Loaded};
use super::error::Fault;
use crate::log::state::Counters;
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

/// Bytes of redb's page cache: little, because nothing is read but at the start.
const CACHE: usize = 16 * 1024 * 1024;

/// Opens the file: a function, so that a test can put another medium in its place.
type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

/// The file.
pub(super) struct Redb {
    opener: Opener,
    /// `None` after a failed commit.
    database: Option<Database>,
}

impl Redb {
    /// The file at `path`, which is made when there is none.
    pub(super) fn new(path: &Path) -> Self {
        let file = path.to_owned();
        Self::with_opener(Box::new(move || {
            check_not_empty(&file)?;
            builder().create(&file)
        }))
    }

    pub(super) fn with_opener(opener: Opener) -> Self {
        Self {
            opener,
            database: None,
        }
    }
}

impl Engine for Redb {
    fn load(&mut self) -> Result<Loaded, Fault> {
        self.database = None; // A file is opened once at a time.
        let database = (self.opener)().map_err(redb::Error::from)?;
        let loaded = read(&database)?;
        self.database = Some(database);
        Ok(loaded)
    }

    fn commit(&mut self, expected: Option<&Counters>, batch: &[Writes]) -> CommitOutcome {
        let Some(database) = &self.database else {
            return CommitOutcome::Unknown(redb::Error::DatabaseClosed.into());
        };
        match write(database, expected, batch) {
            Ok(true) => CommitOutcome::Committed,
            Ok(false) => CommitOutcome::HeadDiffers,
            Err(fault) => {
                self.database = None;
                CommitOutcome::Unknown(fault)
            }
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
pub(super) fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    builder
}

fn read(database: &Database) -> Result<Loaded, Fault> {
    let transaction = database.begin_read().map_err(redb::Error::from)?;
    let counters = match transaction.open_table(COUNTERS) {
        Ok(table) => Some(read_counters(&table)?),
        Err(TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(redb::Error::from(error).into()),
    };
    let mut records = Vec::new();
    if counters.is_some() {
        let table = transaction.open_table(RECORDS).map_err(redb::Error::from)?;
        for row in table.iter().map_err(redb::Error::from)? {
            let (_, value) = row.map_err(redb::Error::from)?;
            records.push(Bytes::copy_from_slice(value.value()));
        }
    }
    Ok(Loaded { counters, records })
}

/// False when the file holds other counters than the expected ones, and nothing is written.
fn write(database: &Database, expected: Option<&Counters>, batch: &[Writes]) -> Result<bool, Fault> {
    let transaction = database.begin_write().map_err(redb::Error::from)?;
    {
        let mut counters = transaction.open_table(COUNTERS).map_err(redb::Error::from)?;
        let is_new = counters.is_empty().map_err(redb::Error::from)?;
        let found = if is_new {
            None
        } else {
            Some(read_counters(&counters)?)
        };
        if found.as_ref() != expected {
            return Ok(false); // The transaction ends without effect.
        }
        let Some(last) = batch.last() else {
            return Ok(true);
        };
        for (name, value) in named(&last.counters) {
            counters.insert(name, value).map_err(redb::Error::from)?;
        }
        let mut records = transaction.open_table(RECORDS).map_err(redb::Error::from)?;
        for writes in batch {
            write_records(&mut records, writes).map_err(redb::Error::from)?;
        }
    }
    transaction.commit().map_err(redb::Error::from)?;
    Ok(true)
}

fn write_records(table: &mut Table<'_, &[u8], &[u8]>, writes: &Writes) -> Result<(), StorageError> {
    for entry in &writes.put {
        table.insert(&*encode_key(&entry.record.key()), &*entry.encoded)?;
    }
    for key in &writes.delete {
        table.remove(&*encode_key(key))?;
    }
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

fn read_counters(table: &impl ReadableTable<&'static str, u64>) -> Result<Counters, Fault> {
    let counter = |name: &'static str| -> Result<u64, Fault> {
        let value = table.get(name).map_err(redb::Error::from)?;
        value.map(|guard| guard.value()).ok_or(Fault::Counter(name))
    };
    let format = counter(FORMAT)?;
    if format != FORMAT_NOW {
        return Err(Fault::Format {
            found: format,
            known: FORMAT_NOW,
        });
    }
    Ok(Counters {
        store: counter(STORE)?,
        head: counter(HEAD)?,
        purged: counter(PURGED)?,
        incarnation: counter(INCARNATION)?
            .try_into()
            .map_err(|_| Fault::Counter(INCARNATION))?,
        highest_slot: counter(HIGHEST_SLOT)?
            .try_into()
            .map_err(|_| Fault::Counter(HIGHEST_SLOT))?,
    })
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "redb may add errors, and all but a few are its own business"
)]
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
            error => Self::Engine(Box::new(error)),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
