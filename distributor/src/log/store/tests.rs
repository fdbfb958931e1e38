//! What every engine has to do, tried with each of them.

use bytes::Bytes;
use proto::{Body, Key};

use super::memory::{Memory, MemoryFault};
use super::redb::tests::Disk;
use super::*;
use crate::log::transaction::Transaction;
use proto::testkit::{sealed, tunnel};

/// What an engine keeps its records on.
pub(super) trait Medium {
    fn new() -> Self;

    /// A new engine on it. The one before is gone, as after a restart.
    fn engine(&self) -> Box<dyn Engine>;

    /// Whether there is space for another commit.
    fn set_full(&self, full: bool);
}

impl Medium for Memory {
    fn new() -> Self {
        Self::default()
    }

    fn engine(&self) -> Box<dyn Engine> {
        Box::new(self.clone())
    }

    fn set_full(&self, full: bool) {
        self.set_fault(full.then_some(MemoryFault::Full));
    }
}

impl Medium for Disk {
    fn new() -> Self {
        Self::new()
    }

    fn engine(&self) -> Box<dyn Engine> {
        Box::new(self.redb())
    }

    fn set_full(&self, full: bool) {
        self.set_full(full);
    }
}

/// An engine whose answers to commits are lost.
struct Deaf(Box<dyn Engine>);

impl Engine for Deaf {
    fn load(&mut self) -> Result<Loaded, Fault> {
        self.0.load()
    }

    fn commit(&mut self, expected: Option<&Counters>, batch: &[Writes]) -> CommitOutcome {
        match self.0.commit(expected, batch) {
            CommitOutcome::Committed if expected.is_some() => CommitOutcome::Unknown(Fault::Closed),
            outcome @ (CommitOutcome::Committed | CommitOutcome::HeadDiffers | CommitOutcome::Unknown(_)) => {
                outcome
            }
        }
    }
}

fn open(engine: Box<dyn Engine>) -> (Store, State) {
    Store::open_with("test".to_owned(), engine).unwrap()
}

/// Tunnel `id`, made on `state`.
pub(super) fn make(state: &State, id: u16) -> (State, Writes) {
    let mut transaction = Transaction::new(state, std::time::SystemTime::now().into());
    transaction.put(Body::Tunnel(sealed(tunnel(&format!("t{id}"), id))));
    let (next, _, writes) = transaction.finish();
    (next, writes)
}

/// Adds tunnel `id`.
pub(super) fn add(store: &mut Store, state: &State, id: u16) -> Result<State, CommitError> {
    let (next, writes) = make(state, id);
    store.commit(state.counters(), &[writes]).map(|()| next)
}

/// In their order.
pub(super) fn records(state: &State) -> Vec<Bytes> {
    state.after(None).map(|(_, encoded)| encoded.clone()).collect()
}

fn what_was_committed_is_there_after_a_restart<M: Medium>() {
    let medium = M::new();
    let (mut store, mut state) = open(medium.engine());
    for id in 1..=3 {
        state = add(&mut store, &state, id).unwrap();
    }
    let mut transaction = Transaction::new(&state, std::time::SystemTime::now().into());
    transaction.delete(&Key::Tunnel("t2".parse().unwrap()));
    transaction.next_slot().unwrap();
    transaction.next_incarnation().unwrap();
    let (next, _, writes) = transaction.finish();
    store.commit(state.counters(), &[writes]).unwrap();
    drop(store);

    let (mut store, found) = open(medium.engine());
    assert_eq!(found.counters(), next.counters());
    assert_eq!(records(&found), records(&next), "in the same order");

    let mut transaction = Transaction::new(&found, std::time::SystemTime::now().into());
    transaction.purge(&Key::Tunnel("t2".parse().unwrap()));
    let (purged, _, writes) = transaction.finish();
    store.commit(found.counters(), &[writes]).unwrap();
    drop(store);
    let (_, found) = open(medium.engine());
    assert_eq!(found.counters(), purged.counters());
    assert_eq!(records(&found), records(&purged));
}

fn a_batch_is_one_commit<M: Medium>() {
    let medium = M::new();
    let (mut store, before) = open(medium.engine());
    let (first, one) = make(&before, 1);
    let (second, two) = make(&first, 2);
    store.commit(before.counters(), &[one, two]).unwrap();
    drop(store);
    assert_eq!(records(&open(medium.engine()).1), records(&second));
}

fn two_stores_are_told_apart<M: Medium>() {
    let store_id = || open(M::new().engine()).1.counters().store;
    assert_ne!(store_id(), store_id());
}

fn a_commit_on_another_head_writes_nothing<M: Medium>() {
    let medium = M::new();
    let mut engine = medium.engine();
    assert!(engine.load().unwrap().counters.is_none());
    let (mut store, empty) = open(engine);
    let one = add(&mut store, &empty, 1).unwrap();
    let error = add(&mut store, &empty, 2).unwrap_err();
    assert!(matches!(error, CommitError::HeadDiffers), "{error:?}");
    let newer = store.resolve(&empty).unwrap().expect("somebody has committed");
    assert_eq!(records(&newer), records(&one), "nothing of the second is there");

    let two = add(&mut store, &newer, 2).unwrap();
    drop(store);
    assert_eq!(records(&open(medium.engine()).1), records(&two));
}

fn an_empty_batch_is_compared_and_writes_nothing<M: Medium>() {
    let medium = M::new();
    let (mut store, empty) = open(medium.engine());
    let one = add(&mut store, &empty, 1).unwrap();
    medium.set_full(true);
    store.commit(one.counters(), &[]).unwrap();
    let error = store.commit(empty.counters(), &[]).unwrap_err();
    assert!(matches!(error, CommitError::HeadDiffers), "{error:?}");
    drop(store);
    medium.set_full(false);
    assert_eq!(open(medium.engine()).1.counters(), one.counters());
}

fn a_new_store_is_made_once<M: Medium>() {
    let medium = M::new();
    let (store, state) = open(medium.engine());
    drop(store);
    let mut engine = medium.engine();
    engine.load().unwrap();
    let (_, writes) = make(&state, 1);
    let outcome = engine.commit(None, &[writes]);
    assert!(matches!(outcome, CommitOutcome::HeadDiffers), "{outcome:?}");
    assert!(engine.load().unwrap().records.is_empty());
}

fn a_failed_commit_leaves_the_store_as_it_was<M: Medium>() {
    let medium = M::new();
    let (mut store, state) = open(medium.engine());
    let state = add(&mut store, &state, 1).unwrap();
    medium.set_full(true);
    let error = add(&mut store, &state, 2).unwrap_err();
    let CommitError::Unknown(error) = error else {
        panic!("{error:?}")
    };
    assert!(error.to_string().starts_with("store test: "), "{error}");
    let error = add(&mut store, &state, 2).unwrap_err();
    assert!(
        matches!(&error, CommitError::Unknown(error) if error.to_string().contains("closed")),
        "not before it is read again: {error:?}"
    );

    medium.set_full(false);
    assert!(
        store.resolve(&state).unwrap().is_none(),
        "nothing of the failed commit is there"
    );
    let state = add(&mut store, &state, 3).unwrap();
    drop(store);
    assert_eq!(records(&open(medium.engine()).1), records(&state));
}

fn a_commit_that_got_through_before_the_error_counts<M: Medium>() {
    let medium = M::new();
    let (mut store, before) = open(Box::new(Deaf(medium.engine())));
    let (after, writes) = make(&before, 1);
    let error = store.commit(before.counters(), &[writes]).unwrap_err();
    assert!(matches!(error, CommitError::Unknown(_)), "{error:?}");
    let found = store.resolve(&before).unwrap().expect("the store has more");
    assert_eq!(found.counters(), after.counters());
    assert_eq!(records(&found), records(&after));
}

fn a_store_that_has_lost_revisions_is_not_used<M: Medium>() {
    let (mut store, state) = open(M::new().engine());
    let state = add(&mut store, &state, 1).unwrap();
    let (mut other, _) = open(M::new().engine());
    other.doubt = Some(Doubt::Unknown);
    let error = other.resolve(&state).map(drop).unwrap_err().to_string();
    assert!(error.contains("lost revisions"), "{error}");
    let error = add(&mut other, &state, 2).unwrap_err();
    assert!(
        matches!(&error, CommitError::Unknown(error) if error.to_string().contains("closed")),
        "it stays out of use: {error:?}"
    );
}

fn another_store_in_its_place_is_not_used<M: Medium>() {
    let (_, state) = open(M::new().engine());
    let (mut other, _) = open(M::new().engine());
    other.doubt = Some(Doubt::Unknown);
    let error = other.resolve(&state).map(drop).unwrap_err().to_string();
    assert!(error.contains("another store"), "{error}");
}

fn an_engine_that_refuses_its_own_head_is_not_asked_for_ever<M: Medium>() {
    let (mut store, state) = open(M::new().engine());
    store.doubt = Some(Doubt::HeadDiffers);
    let error = store.resolve(&state).map(drop).unwrap_err().to_string();
    assert!(error.contains("its own head"), "{error}");
}

macro_rules! suite {
    ($engine:ident, $medium:ty: $($test:ident)*) => {
        mod $engine {
            use super::*;

            $(
                #[test]
                fn $test() {
                    super::$test::<$medium>();
                }
            )*
        }
    };
}

macro_rules! suites {
    ($($engine:ident: $medium:ty),*) => {
        $(suite! { $engine, $medium:
            what_was_committed_is_there_after_a_restart
            a_batch_is_one_commit
            two_stores_are_told_apart
            a_commit_on_another_head_writes_nothing
            an_empty_batch_is_compared_and_writes_nothing
            a_new_store_is_made_once
            a_failed_commit_leaves_the_store_as_it_was
            a_commit_that_got_through_before_the_error_counts
            a_store_that_has_lost_revisions_is_not_used
            another_store_in_its_place_is_not_used
            an_engine_that_refuses_its_own_head_is_not_asked_for_ever
        })*
    };
}

suites! { in_memory: Memory, in_a_file: Disk }
