//! The writer over stores that are good, full, deaf or somebody else's too.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use distributor_client::SystemClock;
use proptest::prelude::*;
use proto::{Body, Key};

use super::*;
use crate::config::Limits;
use crate::log::store::memory::{Memory, MemoryFault};
use crate::log::store::redb::tests::Disk;
use proto::testkit::{sealed, tunnel};

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not allowed")]
struct Refused;

struct Bench {
    writer: Writer<Refused>,
    states: watch::Receiver<Arc<State>>,
    thread: JoinHandle<()>,
}

fn start((store, state): (Store, State)) -> Bench {
    let fleet = Fleet::new(
        &Limits::default(),
        state.head(),
        std::iter::empty(),
        Instant::now(),
    );
    let (published, states) = watch::channel(Arc::new(state));
    let (writer, thread) = Writer::start(store, published, Arc::new(fleet), Arc::new(SystemClock)).unwrap();
    Bench {
        writer,
        states,
        thread,
    }
}

fn put(transaction: &mut Transaction, id: u16) {
    transaction.put(Body::Tunnel(sealed(tunnel(&format!("t{id}"), id))));
}

fn delete(transaction: &mut Transaction, id: u16) {
    transaction.delete(&Key::Tunnel(format!("t{id}").parse().unwrap()));
}

async fn add(writer: &Writer<Refused>, id: u16) -> Result<Durable, WriteError<Refused>> {
    writer
        .change(move |transaction| {
            put(transaction, id);
            Ok(())
        })
        .await
}

fn records(state: &State) -> Vec<Bytes> {
    state.after(None).map(|(_, encoded)| encoded.clone()).collect()
}

/// The state in memory is the one in the store.
fn assert_stored(states: &watch::Receiver<Arc<State>>, (_, stored): (Store, State)) {
    let state = states.borrow();
    assert_eq!(state.counters(), stored.counters());
    assert_eq!(records(&state), records(&stored));
}

#[tokio::test]
async fn a_full_disk_stops_changes_and_nothing_else() {
    let disk = Disk::new();
    let Bench {
        writer, mut states, ..
    } = start(disk.open().unwrap());
    add(&writer, 1).await.unwrap();
    let before = states.borrow_and_update().head();

    disk.set_full(true);
    for id in 2..4 {
        let error = add(&writer, id).await.unwrap_err();
        assert!(matches!(error, WriteError::Store(_)), "{error:?}");
        assert!(error.to_string().contains("/disk/fleet.redb"), "{error}");
    }
    assert!(
        !states.has_changed().unwrap(),
        "nobody sees what is not on the disk"
    );
    assert_eq!(states.borrow().head(), before);

    disk.set_full(false);
    let durable = add(&writer, 2).await.unwrap();
    assert_eq!(durable.outcome.revision, before + 1, "no revision was used up");
    assert_eq!(states.borrow().tunnels().count(), 2);
}

#[tokio::test]
async fn a_failed_commit_leaves_state_and_store_as_before() {
    let memory = Memory::default();
    let Bench {
        writer, mut states, ..
    } = start(memory.open().unwrap());
    add(&writer, 1).await.unwrap();
    let before = states.borrow_and_update().counters();
    memory.set_fault(Some(MemoryFault::Full));
    let error = add(&writer, 2).await.unwrap_err();
    assert!(matches!(error, WriteError::Store(_)), "{error:?}");
    assert!(!states.has_changed().unwrap());
    assert_eq!(states.borrow().counters(), before);
    assert_stored(&states, memory.open().unwrap());
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_seen_before_the_next_one() {
    let memory = Memory::default();
    let Bench { writer, states, .. } = start(memory.open().unwrap());
    memory.set_fault(Some(MemoryFault::AnswerLost));
    let error = add(&writer, 1).await.unwrap_err();
    assert!(matches!(error, WriteError::Store(_)), "{error:?}");
    assert_eq!(states.borrow().head(), 0, "nobody knows yet");

    memory.set_fault(None);
    let durable = add(&writer, 1).await.unwrap();
    assert_eq!(durable.outcome.revision, 1, "the same again changes nothing");
    let durable = add(&writer, 2).await.unwrap();
    assert_eq!(durable.outcome.revision, 2);
    assert_stored(&states, memory.open().unwrap());
}

#[tokio::test]
async fn a_rule_runs_again_when_the_head_has_moved() {
    let memory = Memory::default();
    let [ours, theirs] = [(); 2].map(|()| start(memory.open().unwrap()));
    add(&theirs.writer, 1).await.unwrap();

    let seen = Arc::new(Mutex::new(Vec::new()));
    let tunnels = Arc::clone(&seen);
    let change = ours.writer.change(move |transaction| {
        tunnels
            .lock()
            .unwrap()
            .push(transaction.state().tunnels().count());
        put(transaction, 2);
        Ok(())
    });
    let durable = change.await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 1]);
    assert_eq!(durable.outcome.revision, 2, "behind theirs");
    assert_eq!(ours.states.borrow().tunnels().count(), 2);
    assert_stored(&ours.states, memory.open().unwrap());

    // And the other way round, with several in one batch.
    let (three, four) = tokio::join!(add(&theirs.writer, 3), add(&theirs.writer, 4));
    let mut revisions = [three, four].map(|durable| durable.unwrap().outcome.revision);
    revisions.sort_unstable();
    assert_eq!(revisions, [3, 4]);
    assert_stored(&theirs.states, memory.open().unwrap());
}

#[tokio::test]
async fn what_the_newer_state_does_not_allow_is_refused() {
    let memory = Memory::default();
    let [ours, theirs] = [(); 2].map(|()| start(memory.open().unwrap()));
    add(&theirs.writer, 1).await.unwrap();
    let first = ours
        .writer
        .change(|transaction| match transaction.state().head() {
            0 => {
                put(transaction, 2);
                Ok(())
            }
            _ => Err(Refused),
        });
    let error = first.await.unwrap_err();
    assert!(matches!(error, WriteError::Refused(Refused)), "{error:?}");
    assert_eq!(ours.states.borrow().tunnels().count(), 1, "it can be seen why");
    assert_stored(&ours.states, memory.open().unwrap());
}

#[tokio::test]
async fn changes_that_wait_together_get_a_revision_each_and_all_are_published() {
    let disk = Disk::new();
    let Bench {
        writer,
        states,
        thread,
    } = start(disk.open().unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for id in 1..=100 {
        let writer = writer.clone();
        tasks.spawn(async move { add(&writer, id).await.unwrap().outcome.revision });
    }
    let mut revisions = tasks.join_all().await;
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=100).collect::<Vec<_>>());
    assert_eq!(states.borrow().tunnels().count(), 100);

    drop(writer);
    thread.join().unwrap();
    assert_stored(&states, disk.open().unwrap());
}

#[tokio::test]
async fn a_refusal_is_its_own_and_leaves_no_trace() {
    let Bench { writer, states, .. } = start(Disk::new().open().unwrap());
    let refused = writer.change(|transaction| {
        put(transaction, 1);
        Err(Refused)
    });
    let (refused, made) = tokio::join!(refused, add(&writer, 2));
    assert!(matches!(refused, Err(WriteError::Refused(Refused))));
    assert_eq!(made.unwrap().outcome.revision, 1);
    assert_eq!(states.borrow().tunnels().count(), 1);
}

#[tokio::test]
async fn a_wait_without_edges_is_over_at_once() {
    let Bench { writer, .. } = start(Disk::new().open().unwrap());
    let durable = add(&writer, 1).await.unwrap();
    let wait = durable.wait.finish(Duration::from_secs(3600), &SystemClock);
    assert!(wait.await.is_empty());
}

#[tokio::test]
async fn what_is_there_already_is_so_in_the_store_too() {
    let memory = Memory::default();
    let ours = start(memory.open().unwrap());
    add(&ours.writer, 1).await.unwrap();
    let theirs = start(memory.open().unwrap());
    let remove = theirs.writer.change(|transaction| {
        delete(transaction, 1);
        Ok(())
    });
    remove.await.unwrap();
    let durable = add(&ours.writer, 1).await.unwrap();
    assert_eq!(durable.outcome.revision, 3, "the one that was there is gone");
    assert_stored(&ours.states, memory.open().unwrap());
}

/// What one of two writers does, or what befalls the store.
#[derive(Clone, Copy, Debug)]
enum Step {
    Put(usize, u16),
    Delete(usize, u16),
    Fault(Option<MemoryFault>),
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        3 => Just(None),
        1 => Just(Some(MemoryFault::Full)),
        1 => Just(Some(MemoryFault::AnswerLost)),
    ];
    prop_oneof![
        4 => (0..2usize, 1..4u16).prop_map(|(writer, id)| Step::Put(writer, id)),
        3 => (0..2usize, 1..4u16).prop_map(|(writer, id)| Step::Delete(writer, id)),
        2 => fault.prop_map(Step::Fault),
    ]
}

/// Two writers over one store, and the tunnels that it has to hold.
struct Pair {
    memory: Memory,
    writers: [Bench; 2],
    fault: Option<MemoryFault>,
    tunnels: BTreeSet<u16>,
    /// The newest that anybody was told.
    revision: u64,
}

impl Pair {
    fn new() -> Self {
        let memory = Memory::default();
        Self {
            writers: [(); 2].map(|()| start(memory.open().unwrap())),
            memory,
            fault: None,
            tunnels: BTreeSet::new(),
            revision: 0,
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Put(writer, id) => {
                let is_new = !self.tunnels.contains(&id);
                let result = add(&self.writers[writer].writer, id).await;
                if self.check(writer, is_new, result) {
                    self.tunnels.insert(id);
                }
            }
            Step::Delete(writer, id) => {
                let is_there = self.tunnels.contains(&id);
                let change = self.writers[writer].writer.change(move |transaction| {
                    delete(transaction, id);
                    Ok(())
                });
                let result = change.await;
                if self.check(writer, is_there, result) {
                    self.tunnels.remove(&id);
                }
            }
            Step::Fault(fault) => {
                self.fault = fault;
                self.memory.set_fault(fault);
            }
        }
        let stored = self.memory.open().unwrap().1;
        let names: Vec<_> = stored.tunnels().map(|tunnel| tunnel.header().id.get()).collect();
        let tunnels: Vec<_> = self.tunnels.iter().copied().collect();
        assert_eq!(names, tunnels, "each change was made once, or not at all");
    }

    /// True when the change is in the store.
    fn check(&mut self, writer: usize, writes: bool, result: Result<Durable, WriteError<Refused>>) -> bool {
        match (result, self.fault) {
            (Ok(durable), fault) => {
                assert!(fault.is_none() || !writes);
                if writes {
                    assert!(
                        durable.outcome.revision > self.revision,
                        "no revision is given twice"
                    );
                    self.revision = durable.outcome.revision;
                }
                assert_stored(&self.writers[writer].states, self.memory.open().unwrap());
                writes
            }
            (Err(WriteError::Store(_)), Some(fault)) => {
                assert!(writes);
                fault == MemoryFault::AnswerLost
            }
            (Err(error), fault) => panic!("{error:?} with {fault:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_befalls_two_writers_the_store_holds_what_they_were_answered(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new();
            for step in steps {
                pair.take(step).await;
            }
        });
    }
}
