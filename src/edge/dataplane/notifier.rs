//! Brings what this edge's kernel notices to the edge that has to know.

use std::sync::Arc;
use std::time::Instant;

use tracing::debug;

use crate::ingress::dispatch::Dispatcher;
use crate::ingress::forward::{Forwarded, Forwarder};
use crate::ingress::notice::Notice;
use crate::metrics::Notices;
use crate::shared::Shared;

/// Tells the owner, here or at another edge.
pub(crate) struct Notifier {
    pub(crate) shared: Shared,
    pub(crate) forwarder: Arc<Forwarder>,
    pub(crate) dispatcher: Dispatcher,
}

impl Notifier {
    pub(crate) fn tell(&self, notice: Notice) {
        let owner = self.shared.replica.read().owner_of_child(notice.inbound_spi());
        let ours = self.shared.lease(Instant::now());
        let outcome = match owner {
            None => Notices::DroppedUnknownSa,
            Some(owner) if ours.is_some_and(|ours| ours.slot == owner) => {
                match self.dispatcher.notice(notice) {
                    true => Notices::Delivered,
                    false => Notices::DroppedBusy,
                }
            }
            Some(owner) => {
                self.forwarder.pass_on(owner, &Forwarded::Notice(notice));
                Notices::Forwarded
            }
        };
        debug!(?notice, ?outcome, "the kernel reports on an SA");
        self.shared.metrics.count(outcome);
    }
}
