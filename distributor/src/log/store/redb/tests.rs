//! The store on disks that are good, full, or someone else's.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proto::Body;
use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use super::*;
use crate::log::transaction::Draft;
use crate::records::{sealed, tunnel};

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

    pub(crate) fn open(&self) -> Result<(Store, State), StoreError> {
        let disk = self.clone();
        let opener = Box::new(move || builder().create_with_backend(disk.clone()));
        Store::open_with(Path::new("/disk/fleet.redb"), opener)
    }

    fn read_all(&self) -> Vec<u8> {
        let mut octets = vec![0; self.content.len().unwrap() as usize];
        self.content.read(0, &mut octets).unwrap();
        octets
    }

    /// With this on it.
    fn holding(octets: &[u8]) -> Self {
        let disk = Self::new();
        disk.content.set_len(octets.len() as u64).unwrap();
        disk.content.write(0, octets).unwrap();
        disk
    }

    fn check_space(&self) -> io::Result<()> {
        match self.full.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
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

/// Adds tunnel `id`.
fn add(store: &mut Store, state: &State, id: u16) -> Result<State, StoreError> {
    let mut draft = Draft::new(state, std::time::SystemTime::now().into());
    draft.put(Body::Tunnel(sealed(tunnel(&format!("t{id}"), id))));
    let (next, _, writes) = draft.finish();
    store.write(&[writes]).map(|()| next)
}

fn records(state: &State) -> Vec<Bytes> {
    state.after(None).map(|(_, encoded)| encoded.clone()).collect()
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.redb");
    let (mut store, mut state) = Store::open(&path).unwrap();
    for id in 1..=3 {
        state = add(&mut store, &state, id).unwrap();
    }
    let mut draft = Draft::new(&state, std::time::SystemTime::now().into());
    draft.bury(&Key::Tunnel("t2".parse().unwrap()));
    draft.next_slot().unwrap();
    draft.next_incarnation().unwrap();
    let (next, _, writes) = draft.finish();
    store.write(&[writes]).unwrap();
    drop(store);

    let (_, found) = Store::open(&path).unwrap();
    assert_eq!(found.counters(), next.counters());
    assert_eq!(records(&found), records(&next), "in the same order");
}

#[test]
fn a_store_belongs_to_one_distributor() {
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
fn two_stores_are_told_apart() {
    let counters = || Disk::new().open().unwrap().1.counters();
    assert_ne!(counters().store, counters().store);
}

#[test]
fn a_full_disk_refuses_by_name_and_keeps_what_it_had() {
    let disk = Disk::new();
    let (mut store, state) = disk.open().unwrap();
    let state = add(&mut store, &state, 1).unwrap();
    disk.set_full(true);
    let error = add(&mut store, &state, 2).map(drop).unwrap_err().to_string();
    assert!(error.starts_with("store /disk/fleet.redb: "), "{error}");
    assert!(error.contains("no storage space"), "{error}");

    disk.set_full(false);
    assert!(
        store.recover(&state).unwrap().is_none(),
        "nothing of the failed write is there"
    );
    let state = add(&mut store, &state, 3).unwrap();
    drop(store);
    assert_eq!(records(&disk.open().unwrap().1), records(&state));
}

#[test]
fn a_write_that_got_through_before_the_error_counts() {
    let disk = Disk::new();
    let (mut store, before) = disk.open().unwrap();
    let after = add(&mut store, &before, 1).unwrap();
    store.database = None;
    let found = store.recover(&before).unwrap().expect("the disk knows more");
    assert_eq!(found.counters(), after.counters());
}

#[test]
fn a_store_that_has_lost_revisions_is_not_used() {
    let disk = Disk::new();
    let (mut store, state) = disk.open().unwrap();
    let state = add(&mut store, &state, 1).unwrap();
    let (mut other, _) = Disk::new().open().unwrap();
    other.database = None;
    let error = other.recover(&state).map(drop).unwrap_err().to_string();
    assert!(error.contains("lost revisions"), "{error}");
    let error = add(&mut other, &state, 2).map(drop).unwrap_err();
    assert!(
        error.to_string().contains("closed"),
        "it stays out of use: {error}"
    );
}

#[test]
fn a_record_that_breaks_the_schema_is_named() {
    let disk = Disk::new();
    let (store, _) = disk.open().unwrap();
    let transaction = store.database.as_ref().unwrap().begin_write().unwrap();
    transaction
        .open_table(RECORDS)
        .unwrap()
        .insert(&b"key"[..], &b"\xff\xff"[..])
        .unwrap();
    transaction.commit().unwrap();
    drop(store);
    let error = disk.open().map(drop).unwrap_err().to_string();
    assert!(error.contains("breaks the schema"), "{error}");
}

#[test]
fn a_later_format_is_refused() {
    let disk = Disk::new();
    let (store, _) = disk.open().unwrap();
    let transaction = store.database.as_ref().unwrap().begin_write().unwrap();
    transaction
        .open_table(COUNTERS)
        .unwrap()
        .insert(FORMAT, FORMAT_NOW + 1)
        .unwrap();
    transaction.commit().unwrap();
    drop(store);
    let error = disk.open().map(drop).unwrap_err().to_string();
    assert!(error.contains("has format 2"), "{error}");
}

/// Of each damaged copy: the error, or `None` where the damage did not matter.
fn errors_of(damaged: impl IntoIterator<Item = Vec<u8>>) -> Vec<Option<String>> {
    let error = |octets: Vec<u8>| Disk::holding(&octets).open().err().map(|error| error.to_string());
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
    let octets = disk.read_all();
    let overwritten = |start: usize| {
        let mut copy = octets.clone();
        let end = octets.len().min(start + 256);
        copy[start..end].fill(0xff);
        copy
    };
    let cut = |end: usize| octets[..end].to_vec();
    let everywhere = || (1..octets.len()).step_by(2048);
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
    for octets in [b"something else".to_vec(), vec![0; 100_000]] {
        let error = Disk::holding(&octets).open().err().unwrap();
        assert!(error.is_lasting(), "{error}");
        assert!(error.to_string().contains("is damaged"), "{error}");
    }
}

#[test]
fn an_empty_file_is_damaged_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.redb");
    std::fs::write(&path, "").unwrap();
    let error = Store::open(&path).map(drop).unwrap_err();
    assert!(error.is_lasting(), "{error}");
    assert!(error.to_string().contains("is damaged: it is empty"), "{error}");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
}
