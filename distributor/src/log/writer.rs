//! The one place where the log grows.
//!
//! A thread of its own takes changes in the order they come, lets the rules make transactions of those that wait, commits
//! all of them at once (group commit: the disk's flush is what takes time), publishes the new state and answers. Nobody
//! sees a state, or hears of a revision, that is not durable. When the store turns out to have another head than the
//! state that the transactions were made on, the rules run again on the state that the store has.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use distributor_client::Clock;
use tokio::sync::{mpsc, oneshot, watch};

use crate::fleet::{Fleet, Wait};
use crate::log::state::State;
use crate::log::store::{CommitError, Store, StoreError};
use crate::log::transaction::{Outcome, Transaction, Writes};

/// Changes that may wait for the disk; whoever comes then waits for a place.
const QUEUE: usize = 1024;

/// Changes that are committed at once.
const BATCH: usize = 256;

/// Decides about a change and puts it into the transaction, or refuses it with an `R`. It may run more than once, each time on
/// a newer state; the last time counts.
type Rule<R> = Box<dyn Fn(&mut Transaction) -> Result<(), R> + Send>;

type Reply<R> = oneshot::Sender<Result<Durable, WriteError<R>>>;

struct Job<R> {
    rule: Rule<R>,
    reply: Reply<R>,
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
pub(crate) enum WriteError<R> {
    /// By its rule.
    #[error("{0}")]
    Refused(R),
    #[error(transparent)]
    Store(Arc<StoreError>),
    #[error("the distributor is shutting down")]
    ShuttingDown,
}

/// Hands changes to the thread. The thread ends when the last handle is gone.
pub(crate) struct Writer<R> {
    jobs: mpsc::Sender<Job<R>>,
}

impl<R> Clone for Writer<R> {
    fn clone(&self) -> Self {
        Self {
            jobs: self.jobs.clone(),
        }
    }
}

impl<R: Send + 'static> Writer<R> {
    /// Starts the thread. Every state it makes is published through `published`.
    pub(crate) fn start(
        store: Store,
        published: watch::Sender<Arc<State>>,
        fleet: Arc<Fleet>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new().name("store".to_owned());
        let handle = thread.spawn(move || {
            Thread {
                store,
                published,
                fleet,
                clock,
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
        rule: impl Fn(&mut Transaction) -> Result<(), R> + Send + 'static,
    ) -> Result<Durable, WriteError<R>> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            rule: Box::new(rule),
            reply,
        };
        self.jobs.send(job).await.map_err(|_| WriteError::ShuttingDown)?;
        answer.await.map_err(|_| WriteError::ShuttingDown)?
    }

    /// The same for a rule that gives something of what it has decided. The state that is published when this returns does not
    /// tell that: it may hold what later changes of the same batch have made of it.
    pub(crate) async fn decide<T: Send + 'static>(
        &self,
        rule: impl Fn(&mut Transaction) -> Result<T, R> + Send + 'static,
    ) -> Result<T, WriteError<R>> {
        let decided = Arc::new(Mutex::new(None));
        let last = Arc::clone(&decided);
        let change = self.change(move |transaction| {
            let decision = rule(transaction)?;
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(decision);
            Ok(())
        });
        change.await?;
        let decision = decided.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A change is made when the last run of its rule has allowed it.
        decision.ok_or(WriteError::ShuttingDown)
    }
}

struct Thread {
    store: Store,
    published: watch::Sender<Arc<State>>,
    fleet: Arc<Fleet>,
    clock: Arc<dyn Clock>,
}

/// What the rules have made of the changes that wait, all of it still to be committed.
struct Prepared<R> {
    state: State,
    batch: Vec<Writes>,
    /// One for each change, in their order.
    verdicts: Vec<Result<Outcome, R>>,
}

impl Thread {
    fn run<R>(mut self, mut queue: mpsc::Receiver<Job<R>>) {
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

    fn make<R>(&mut self, jobs: Vec<Job<R>>) {
        let verdicts = loop {
            match self.try_commit(&jobs) {
                Ok(verdicts) => break verdicts,
                // Somebody else's commit is a step forward, so this ends.
                Err(CommitError::HeadDiffers) => tracing::debug!("the log has moved on: the rules run again"),
                Err(CommitError::Unknown(error)) => return fail(jobs, error),
            }
        };
        // A refusal is not answered before the commit either, since another change of the batch can be its reason: whoever
        // is refused can see it now.
        for (job, verdict) in jobs.into_iter().zip(verdicts) {
            answer(job.reply, verdict.map_err(WriteError::Refused));
        }
    }

    /// Runs the rules on the newest state, commits what they make of it and publishes that.
    fn try_commit<R>(&mut self, jobs: &[Job<R>]) -> Result<Vec<Result<Durable, R>>, CommitError> {
        self.resolve().map_err(CommitError::Unknown)?;
        let before = Arc::clone(&self.published.borrow());
        let Prepared {
            state,
            batch,
            verdicts,
        } = self.prepare(&before, jobs);
        // An empty batch too: what is refused, or was there already, has to be so in the store.
        self.store.commit(before.counters(), &batch)?;
        if batch.is_empty() {
            return Ok(self.begin_waits(verdicts));
        }
        // The waits begin before the edges can hear of the change, so that none of them is faster than its wait.
        self.fleet.raise(state.head());
        let waits = self.begin_waits(verdicts);
        self.published.send_replace(Arc::new(state));
        Ok(waits)
    }

    /// After a commit that failed, or that somebody else's has overtaken: what the store holds is what is true.
    fn resolve(&mut self) -> Result<(), StoreError> {
        let found = self.store.resolve(&self.published.borrow())?;
        if let Some(state) = found {
            self.fleet.raise(state.head());
            self.published.send_replace(Arc::new(state));
        }
        Ok(())
    }

    /// Each change on top of those before it.
    fn prepare<R>(&self, before: &State, jobs: &[Job<R>]) -> Prepared<R> {
        let mut state = before.clone();
        let mut batch = Vec::with_capacity(jobs.len());
        let mut verdicts = Vec::with_capacity(jobs.len());
        for job in jobs {
            let mut transaction = Transaction::new(&state, self.clock.wall().into());
            verdicts.push((job.rule)(&mut transaction).map(|()| {
                let (next, outcome, writes) = transaction.finish();
                if !writes.is_empty(&state) {
                    batch.push(writes);
                }
                state = next;
                outcome
            }));
        }
        Prepared {
            state,
            batch,
            verdicts,
        }
    }

    fn begin_waits<R>(&self, verdicts: Vec<Result<Outcome, R>>) -> Vec<Result<Durable, R>> {
        let durable_at = self.clock.monotonic();
        let begin = |outcome: Outcome| Durable {
            outcome,
            wait: self.fleet.wait(outcome.revision, durable_at),
        };
        verdicts.into_iter().map(|verdict| verdict.map(begin)).collect()
    }
}

fn fail<R>(jobs: Vec<Job<R>>, error: StoreError) {
    tracing::error!(%error, "changes could not be stored");
    let error = Arc::new(error);
    for job in jobs {
        answer(job.reply, Err(WriteError::Store(Arc::clone(&error))));
    }
}

/// Whoever asked may be gone; the change stands all the same.
fn answer<R>(reply: Reply<R>, result: Result<Durable, WriteError<R>>) {
    drop(reply.send(result));
}

#[cfg(test)]
mod tests;
