//! What both services work with: the log, the fleet, the clock and the limits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use distributor_client::Clock;
use proto::{Key, Slot, limits, v1};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::config::Limits;
use crate::fleet::Fleet;
use crate::log::state::State;
use crate::log::transaction::{Outcome, Transaction};
use crate::log::writer::{Durable, WriteError, Writer};
use crate::rules::refusal::Refusal;

/// Failures of one edge that an answer shows; the edge's own log has them all.
pub(crate) const SHOWN_FAILURES: usize = 8;

/// What both services work with.
pub(crate) struct Context {
    pub(crate) writer: Writer<Refusal>,
    pub(crate) states: watch::Receiver<Arc<State>>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    pub(crate) shutdown: CancellationToken,
}

impl Context {
    /// The newest state.
    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.states.borrow())
    }

    /// The monotonic time.
    pub(crate) fn now(&self) -> Instant {
        self.clock.monotonic()
    }

    /// Makes a change and waits for the edges to apply it, for at most `deadline` from when it is durable.
    pub(crate) async fn change(
        &self,
        rule: impl Fn(&mut Transaction) -> Result<(), Refusal> + Send + 'static,
        deadline: Duration,
    ) -> Result<(Outcome, Vec<v1::EdgeProgress>), Status> {
        let durable = self.writer.change(rule).await?;
        Ok(self.applied(durable, deadline).await)
    }

    /// Waits for the edges to apply a change, for at most `deadline` from when it is durable.
    pub(crate) async fn applied(
        &self,
        durable: Durable,
        deadline: Duration,
    ) -> (Outcome, Vec<v1::EdgeProgress>) {
        let Durable { outcome, wait } = durable;
        let edges = wait.finish(deadline, &*self.clock).await;
        let state = self.state();
        let progress = edges
            .into_iter()
            .filter_map(|(slot, took)| self.progress(&state, outcome.revision, slot, took));
        (outcome, progress.collect())
    }

    /// How far an edge has come with the change of a revision; `took` is `None` when it has not applied it.
    pub(crate) fn progress(
        &self,
        state: &State,
        revision: u64,
        slot: Slot,
        took: Option<Duration>,
    ) -> Option<v1::EdgeProgress> {
        let of_this_change = |key: &Key| {
            state
                .get(key)
                .is_some_and(|entry| entry.record.revision == revision)
        };
        let failures = self
            .fleet
            .failures(slot)
            .into_iter()
            .filter(|failure| of_this_change(&failure.key));
        Some(v1::EdgeProgress {
            name: String::from(&state.edge_in(slot)?.name),
            slot: slot.get().into(),
            applied: took.is_some(),
            elapsed_us: took.map_or(0, |took| took.as_micros().try_into().unwrap_or(u32::MAX)),
            failures: failures
                .take(SHOWN_FAILURES)
                .map(|failure| (&failure).into())
                .collect(),
        })
    }
}

impl From<WriteError<Refusal>> for Status {
    fn from(error: WriteError<Refusal>) -> Self {
        match error {
            WriteError::Refused(refusal) => refusal.into(),
            WriteError::Store(error) => Self::resource_exhausted(error.to_string()),
            WriteError::ShuttingDown => Self::unavailable(error.to_string()),
        }
    }
}

/// A message that breaks the schema, as the caller sees it.
pub(crate) fn invalid(error: proto::Invalid) -> Status {
    Status::invalid_argument(error.to_string())
}

const _: () =
    assert!(SHOWN_FAILURES * (limits::REASON + limits::NAME) * Slot::MAX as usize <= 2 * limits::MESSAGE);

#[cfg(test)]
pub(crate) mod tests {
    use distributor_client::SystemClock;
    use tonic::Code;

    use super::*;
    use crate::log::store::memory::{Memory, MemoryFault};

    /// Of a distributor that serves nobody yet.
    pub(crate) fn context(memory: &Memory) -> Context {
        let (store, state) = memory.open().unwrap();
        let limits = Limits::default();
        let fleet = Fleet::new(&limits, state.head(), std::iter::empty(), Instant::now());
        let (fleet, clock) = (Arc::new(fleet), Arc::new(SystemClock));
        let (published, states) = watch::channel(Arc::new(state));
        let (writer, _thread) = Writer::start(store, published, Arc::clone(&fleet), clock.clone()).unwrap();
        Context {
            writer,
            states,
            fleet,
            clock,
            limits,
            shutdown: CancellationToken::new(),
        }
    }

    /// An edge gives a commit up for good by some codes. These are not among them: the store has room again later, and another
    /// process serves it.
    #[tokio::test]
    async fn what_the_store_does_not_take_may_be_tried_again() {
        let memory = Memory::default();
        let context = context(&memory);
        memory.set_fault(Some(MemoryFault::Full));
        let change = context.writer.change(|transaction| {
            transaction.next_incarnation();
            Ok(())
        });
        let error = change.await.unwrap_err();
        assert!(matches!(error, WriteError::Store(_)), "{error:?}");
        assert_eq!(Status::from(error).code(), Code::ResourceExhausted);
        assert_eq!(Status::from(WriteError::ShuttingDown).code(), Code::Unavailable);
    }
}
