//! The file on disks that are good, full, damaged or someone else's.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::redb::StorageBackend;
use ::redb::backends::InMemoryBackend;
use proto::{Body, Record};

use super::*;
use crate::log::state::State;
use crate::log::store::tests::{add, records};
use crate::log::store::{CommitError, Store, StoreError};

/// A disk that can be full.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    content: Arc<InMemoryBackend>,
    full: Arc<AtomicBool>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self {
            content: Arc::new(InMemoryBackend::new()),
            full: Arc::default(),
        }
    }

    pub(crate) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    pub(in crate::log::store) fn redb(&self) -> Redb {
        let disk = self.clone();
        Redb::with_opener(Box::new(move || builder().create_with_backend(disk.clone())))
    }

    pub(crate) fn open(&self) -> Result<(Store, State), StoreError> {
        Store::open_with("/disk/fleet.redb".to_owned(), Box::new(self.redb()))
    }

    fn read_all(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.content.len().unwrap() as usize];
        self.content.read(0, &mut bytes).unwrap();
        bytes
    }

    /// With this on it.
    fn holding(bytes: &[u8]) -> Self {
        let disk = Self::new();
        disk.content.set_len(bytes.len() as u64).unwrap();
        disk.content.write(0, bytes).unwrap();
        disk
    }

    fn check_space(&self) -> io::Result<()> {
        match self.full.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    /// Writes what no distributor writes.
    fn tamper(&self, write: impl FnOnce(&::redb::WriteTransaction)) {
        let mut redb = self.redb();
        redb.load().unwrap();
        let transaction = redb.database.as_ref().unwrap().begin_write().unwrap();
        write(&transaction);
        transaction.commit().unwrap();
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.content.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.content.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_space()?;
        self.content.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.content.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check_space()?;
        self.content.write(offset, data)
    }
}

#[test]
fn a_file_belongs_to_one_distributor() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.redb");
    let _first = Store::open(&path).unwrap();
    let error = Store::open(&path).map(drop).unwrap_err().to_string();
    assert!(
        error.contains("fleet.redb") && error.contains("already open"),
        "{error}"
    );
}

#[test]
fn a_full_disk_refuses_by_name() {
    let disk = Disk::new();
    let (mut store, state) = disk.open().unwrap();
    disk.set_full(true);
    let CommitError::Unknown(error) = add(&mut store, &state, 1).unwrap_err() else {
        panic!("the head is the expected one")
    };
    let error = error.to_string();
    assert!(error.starts_with("store /disk/fleet.redb: "), "{error}");
    assert!(error.contains("no storage space"), "{error}");
}

#[test]
fn a_file_on_a_real_disk_outlives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.redb");
    let (mut store, state) = Store::open(&path).unwrap();
    let state = add(&mut store, &state, 1).unwrap();
    drop(store);
    let (_, found) = Store::open(&path).unwrap();
    assert_eq!(found.counters(), state.counters());
    assert_eq!(records(&found), records(&state));
}

#[test]
fn a_record_that_breaks_the_schema_is_named() {
    let disk = Disk::new();
    drop(disk.open().unwrap());
    disk.tamper(|transaction| {
        let mut table = transaction.open_table(RECORDS).unwrap();
        table.insert(&b"key"[..], &b"\xff\xff"[..]).unwrap();
    });
    let error = disk.open().map(drop).unwrap_err().to_string();
    assert!(error.contains("breaks the schema"), "{error}");
}

#[test]
fn a_later_format_is_refused() {
    let disk = Disk::new();
    drop(disk.open().unwrap());
    disk.tamper(|transaction| {
        let mut table = transaction.open_table(COUNTERS).unwrap();
        table.insert(FORMAT, FORMAT_NOW + 1).unwrap();
    });
    let error = disk.open().map(drop).unwrap_err().to_string();
    assert!(error.contains("has format 2"), "{error}");
}

/// Of each damaged copy: the error, or `None` where the damage did not matter.
fn errors_of(damaged: impl IntoIterator<Item = Vec<u8>>) -> Vec<Option<String>> {
    let error = |bytes: Vec<u8>| Disk::holding(&bytes).open().err().map(|error| error.to_string());
    damaged.into_iter().map(error).collect()
}

#[test]
fn a_damaged_file_is_told_with_the_remedy_wherever_the_damage_is() {
    let disk = Disk::new();
    let (mut store, mut state) = disk.open().unwrap();
    for id in 1..=50 {
        state = add(&mut store, &state, id).unwrap();
    }
    drop(store);
    let bytes = disk.read_all();
    let overwritten = |start: usize| {
        let mut copy = bytes.clone();
        let end = bytes.len().min(start + 256);
        copy[start..end].fill(0xff);
        copy
    };
    let cut = |end: usize| bytes[..end].to_vec();
    let everywhere = || (1..bytes.len()).step_by(2048);
    let errors = errors_of(everywhere().map(overwritten).chain(everywhere().map(cut)));
    let told: Vec<_> = errors.into_iter().flatten().collect();
    assert!(told.len() > 10, "{told:?}");
    for error in told {
        assert!(
            error.starts_with("store /disk/fleet.redb: is damaged: ")
                && error.contains("add the tunnels again"),
            "{error}"
        );
    }
}

#[test]
fn a_file_of_something_else_is_told() {
    for bytes in [b"something else".to_vec(), vec![0; 100_000]] {
        let error = Disk::holding(&bytes).open().err().unwrap();
        assert!(error.is_lasting(), "{error}");
        assert!(error.to_string().contains("is damaged"), "{error}");
    }
}

#[test]
fn an_empty_file_is_damaged_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.redb");
    fs::write(&path, "").unwrap();
    let error = Store::open(&path).map(drop).unwrap_err();
    assert!(error.is_lasting(), "{error}");
    assert!(error.to_string().contains("is damaged: it is empty"), "{error}");
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
}

/// A file that was written before there were engines: an edge, a tunnel with an IKE SA and a child SA, the tombstone of a
/// second tunnel, and the purged one of a second IKE SA.
const FORMAT_1: &[u8] = include_bytes!("format-1.redb");

#[test]
fn a_file_of_format_1_is_read_as_it_was_written_and_goes_on() {
    let disk = Disk::holding(FORMAT_1);
    let (mut store, state) = disk.open().unwrap();
    let written = Counters {
        store: 5_186_669_226_441_484_504,
        head: 7,
        purged: 7,
        incarnation: 1,
        highest_slot: 1,
    };
    assert_eq!(state.counters(), written);
    let found = |state: &State| -> Vec<_> {
        state
            .after(None)
            .map(|(place, encoded)| {
                let record = Record::decode(encoded.clone()).unwrap();
                assert_eq!(record.encode(), encoded, "{}", record.key());
                let is_tombstone = matches!(record.body, Body::Tombstone(_));
                (place.revision, record.key().to_string(), is_tombstone)
            })
            .collect()
    };
    let expected = [
        (1, "edge in slot 1", false),
        (2, "tunnel acme", false),
        (4, "child SA 0x00400009", false),
        (4, "IKE SA 0000000000000007", false),
        (5, "tunnel beta", true),
    ]
    .map(|(revision, key, is_tombstone)| (revision, key.to_owned(), is_tombstone));
    assert_eq!(found(&state), expected);

    add(&mut store, &state, 3).unwrap();
    drop(store);
    let (_, next) = disk.open().unwrap();
    assert_eq!(next.counters(), Counters { head: 8, ..written });
    let added = (8, "tunnel t3".to_owned(), false);
    assert_eq!(found(&next), [&expected[..], &[added]].concat());
}
