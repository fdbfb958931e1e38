//! The one place where the state changes.
//!
//! A thread of its own takes changes in the order they come, makes what the rules allow of those that wait, writes all
//! of them to the disk at once (group commit: the disk's flush is what takes time), publishes the new state and
//! answers. Nobody sees a state that is not durable.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tonic::Status;

use crate::fleet::{Fleet, Wait};
use crate::log::state::State;
use crate::log::store::{Store, StoreError};
use crate::log::transaction::{Draft, Outcome, Writes};
use crate::rules::refusal::Refusal;

/// Changes that may wait for the disk; whoever comes then waits for a place.
const QUEUE: usize = 1024;

/// Changes that go to the disk at once.
const BATCH: usize = 256;

/// Decides about a change and puts it into the draft.
type Rule = Box<dyn FnOnce(&mut Draft) -> Result<(), Refusal> + Send>;

type Reply = oneshot::Sender<Result<Durable, WriteError>>;

struct Job {
    rule: Rule,
    reply: Reply,
}

/// A change that is on the disk.
#[derive(Debug)]
pub(crate) struct Durable {
    pub(crate) outcome: Outcome,
    /// For the edges to apply it.
    pub(crate) wait: Wait,
}

/// Why a change is not on the disk.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Store(Arc<StoreError>),
    #[error("the distributor is shutting down")]
    ShuttingDown,
}

impl From<WriteError> for Status {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Refused(refusal) => refusal.into(),
            WriteError::Store(error) => Self::resource_exhausted(error.to_string()),
            WriteError::ShuttingDown => Self::unavailable(error.to_string()),
        }
    }
}

/// Hands changes to the thread. The thread ends when the last handle is gone.
#[derive(Clone)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the thread. Every state it makes is published through `published`.
    pub(crate) fn start(
        store: Store,
        published: watch::Sender<Arc<State>>,
        fleet: Arc<Fleet>,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new().name("store".to_owned());
        let handle = thread.spawn(move || {
            Thread {
                store,
                published,
                fleet,
            }
            .run(queue)
        })?;
        Ok((Self { jobs }, handle))
    }

    /// Returns when the thread has ended, which it does not do by itself.
    pub(crate) async fn ended(&self) {
        self.jobs.closed().await;
    }

    /// Makes a change, and returns when it is on the disk.
    pub(crate) async fn change(
        &self,
        rule: impl FnOnce(&mut Draft) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<Durable, WriteError> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            rule: Box::new(rule),
            reply,
        };
        self.jobs.send(job).await.map_err(|_| WriteError::ShuttingDown)?;
        answer.await.map_err(|_| WriteError::ShuttingDown)?
    }
}

struct Thread {
    store: Store,
    published: watch::Sender<Arc<State>>,
    fleet: Arc<Fleet>,
}

impl Thread {
    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(first) = queue.blocking_recv() {
            let mut jobs = vec![first];
            while jobs.len() < BATCH
                && let Ok(next) = queue.try_recv()
            {
                jobs.push(next);
            }
            self.make(jobs);
        }
    }

    fn make(&mut self, jobs: Vec<Job>) {
        if let Err(error) = self.recover() {
            let waiting = jobs.into_iter().map(|job| job.reply);
            return fail(waiting, error);
        }
        let mut state = State::clone(&self.published.borrow());
        let mut made = Vec::with_capacity(jobs.len());
        let mut refused: Vec<(Refusal, Reply)> = Vec::new();
        let mut batch: Vec<Writes> = Vec::with_capacity(jobs.len());
        for Job { rule, reply } in jobs {
            let mut draft = Draft::new(&state, SystemTime::now().into());
            match rule(&mut draft) {
                Err(refusal) => refused.push((refusal, reply)),
                Ok(()) => {
                    let (next, outcome, writes) = draft.finish();
                    if !writes.is_empty(&state) {
                        batch.push(writes);
                    }
                    state = next;
                    made.push((outcome, reply));
                }
            }
        }
        if batch.is_empty() {
            // Every change was there already.
            let waiting = self.begin_waits(made);
            waiting
                .into_iter()
                .for_each(|(durable, reply)| answer(reply, Ok(durable)));
        } else {
            match self.store.write(&batch) {
                Ok(()) => self.publish(state, made),
                Err(error) => {
                    let made = made.into_iter().map(|(_, reply)| reply);
                    return fail(made.chain(refused.into_iter().map(|(_, reply)| reply)), error);
                }
            }
        }
        // Not before, since another change of the batch can be the reason: whoever is refused can see it now.
        refused
            .into_iter()
            .for_each(|(refusal, reply)| answer(reply, Err(refusal.into())));
    }

    /// After a failed write: what the disk holds is what is true.
    fn recover(&mut self) -> Result<(), StoreError> {
        let recovered = self.store.recover(&self.published.borrow())?;
        if let Some(state) = recovered {
            self.publish(state, Vec::new());
        }
        Ok(())
    }

    fn begin_waits(&self, made: Vec<(Outcome, Reply)>) -> Vec<(Durable, Reply)> {
        let durable_at = Instant::now();
        let begin = |(outcome, reply): (Outcome, Reply)| {
            let wait = self.fleet.wait(outcome.revision, durable_at);
            (Durable { outcome, wait }, reply)
        };
        made.into_iter().map(begin).collect()
    }

    /// The waits begin before the edges can hear of the change, so that none of them is faster than its wait.
    fn publish(&self, state: State, made: Vec<(Outcome, Reply)>) {
        self.fleet.raise(state.head());
        let durable = self.begin_waits(made);
        self.published.send_replace(Arc::new(state));
        durable
            .into_iter()
            .for_each(|(durable, reply)| answer(reply, Ok(durable)));
    }
}

fn fail(waiting: impl Iterator<Item = Reply>, error: StoreError) {
    tracing::error!(%error, "changes could not be stored");
    let error = Arc::new(error);
    waiting.for_each(|reply| answer(reply, Err(WriteError::Store(Arc::clone(&error)))));
}

/// Whoever asked may be gone; the change stands all the same.
fn answer(reply: Reply, result: Result<Durable, WriteError>) {
    drop(reply.send(result));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proto::Body;
    use tonic::Code;

    use super::*;
    use crate::config::Limits;
    use crate::log::store::tests::Disk;
    use crate::records::{sealed, tunnel};

    struct Bench {
        writer: Writer,
        states: watch::Receiver<Arc<State>>,
        thread: JoinHandle<()>,
    }

    fn start(disk: &Disk) -> Bench {
        let (store, state) = disk.open().unwrap();
        let fleet = Arc::new(Fleet::new(&Limits::default(), &state, Instant::now()));
        let (published, states) = watch::channel(Arc::new(state));
        let (writer, thread) = Writer::start(store, published, fleet).unwrap();
        Bench {
            writer,
            states,
            thread,
        }
    }

    async fn add(writer: &Writer, id: u16) -> Result<Durable, WriteError> {
        let body = Body::Tunnel(sealed(tunnel(&format!("t{id}"), id)));
        writer
            .change(move |draft| {
                draft.put(body);
                Ok(())
            })
            .await
    }

    #[tokio::test]
    async fn a_full_disk_stops_changes_and_nothing_else() {
        let disk = Disk::new();
        let Bench {
            writer, mut states, ..
        } = start(&disk);
        add(&writer, 1).await.unwrap();
        let before = states.borrow_and_update().head();

        disk.set_full(true);
        for id in 2..4 {
            let status = Status::from(add(&writer, id).await.unwrap_err());
            assert_eq!(status.code(), Code::ResourceExhausted);
            assert!(status.message().contains("/disk/fleet.redb"), "{status}");
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
    async fn changes_that_wait_together_get_a_revision_each_and_all_are_published() {
        let disk = Disk::new();
        let Bench {
            writer,
            states,
            thread,
        } = start(&disk);
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
        assert_eq!(disk.open().unwrap().1.counters(), states.borrow().counters());
    }

    #[tokio::test]
    async fn a_refusal_is_its_own_and_leaves_no_trace() {
        let Bench { writer, states, .. } = start(&Disk::new());
        let refused = writer.change(|draft| {
            draft.put(Body::Tunnel(sealed(tunnel("t1", 1))));
            Err(Refusal::NoSlot)
        });
        let (refused, made) = tokio::join!(refused, add(&writer, 2));
        assert!(matches!(refused, Err(WriteError::Refused(Refusal::NoSlot))));
        assert_eq!(made.unwrap().outcome.revision, 1);
        assert_eq!(states.borrow().tunnels().count(), 1);
    }

    #[tokio::test]
    async fn a_wait_without_edges_is_over_at_once() {
        let Bench { writer, .. } = start(&Disk::new());
        let durable = add(&writer, 1).await.unwrap();
        assert!(durable.wait.finish(Duration::from_secs(3600)).await.is_empty());
    }
}
