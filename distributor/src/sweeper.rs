//! What time removes: expired child SAs, edges that have been silent for long, old tombstones.

use std::sync::Arc;
use std::time::Duration;

use distributor_client::Clock;
use tokio::sync::watch;

use crate::fleet::Fleet;
use crate::log::state::State;
use crate::log::writer::{WriteError, Writer};
use crate::rules::membership;
use crate::rules::refusal::Refusal;

/// How often what has expired is removed.
const SWEEP: Duration = Duration::from_secs(10);

/// Removes what has expired, again and again.
pub(crate) struct Sweeper {
    pub(crate) writer: Writer<Refusal>,
    pub(crate) states: watch::Receiver<Arc<State>>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long tombstones live, and how long an edge may be silent.
    pub(crate) tombstones: Duration,
}

impl Sweeper {
    /// Never returns.
    pub(crate) async fn run(self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "could not remove what has expired");
            }
        }
    }

    async fn sweep(&self) -> Result<(), WriteError<Refusal>> {
        let (fleet, clock, tombstones) = (Arc::clone(&self.fleet), Arc::clone(&self.clock), self.tombstones);
        // Which edges are silent is asked when the change is made: one may just have joined.
        let rule = move |transaction: &mut _| {
            let silent = fleet.silent_for(tombstones, clock.monotonic());
            membership::sweep(transaction, &silent, tombstones);
            Ok(())
        };
        self.writer.change(rule).await?;
        // Not before it is durable: an edge that the log still has is to be found silent again.
        self.fleet
            .forget_unknown(|slot| self.states.borrow().edge_in(slot).is_some());
        Ok(())
    }
}
