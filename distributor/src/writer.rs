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
use crate::refusal::Refusal;
use crate::state::{Draft, Outcome, State, Writes};
use crate::store::{Store, StoreError};

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
        let mut batch: Vec<Writes> = Vec::with_capacity(jobs.len());
        for Job { rule, reply } in jobs {
            let mut draft = Draft::new(&state, SystemTime::now().into());
            match rule(&mut draft) {
                Err(refusal) => answer(reply, Err(refusal.into())),
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
            return self
                .begin_waits(made)
                .into_iter()
                .for_each(|(durable, reply)| answer(reply, Ok(durable)));
        }
        match self.store.write(&batch) {
            Ok(()) => self.publish(state, made),
            Err(error) => fail(made.into_iter().map(|(_, reply)| reply), error),
        }
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
