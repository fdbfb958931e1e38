//! Brings what this edge's kernel notices to the edge that has to know.

use std::sync::Arc;
use std::time::Instant;

use distributor_client::state::{SessionState, SharedReplica};
use tokio::sync::{mpsc, watch};
use tracing::debug;

use crate::ingress::forward::{Forwarded, Forwarder};
use crate::ingress::input::Input;
use crate::ingress::notice::Notice;
use crate::metrics::{Family, Metrics};

/// Tells the owner, here or at another edge.
pub(crate) struct Notifier {
    pub(crate) replica: SharedReplica,
    pub(crate) session: watch::Receiver<SessionState>,
    pub(crate) forwarder: Arc<Forwarder>,
    pub(crate) responder: mpsc::Sender<Input>,
    pub(crate) metrics: Metrics,
}

impl Notifier {
    pub(crate) fn tell(&self, notice: Notice) {
        let owner = self.replica.read().owner_of_child(notice.inbound_spi());
        let ours = self.session.borrow().lease(Instant::now());
        let outcome = match owner {
            None => "dropped_unknown_sa",
            Some(owner) if ours.is_some_and(|ours| ours.slot == owner) => {
                match self.responder.try_send(Input::Notice(notice)) {
                    Ok(()) => "told",
                    Err(_) => "dropped_busy",
                }
            }
            Some(owner) => {
                self.forwarder.pass_on(owner, &Forwarded::Notice(notice));
                "passed_on"
            }
        };
        debug!(?notice, outcome, "the kernel notices something of an SA");
        self.metrics.count(Family::Notices, outcome);
    }
}
