//! What one edge's kernel sees of an SA, and the SA's owner has to know.

use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use super::forward::{Forwarded, Forwarder};
use super::input::Input;
use super::metrics::{Family, Metrics};
use super::state::{LinkState, SharedReplica};

/// Of the child SA with this inbound SPI. It may get lost, and it may come twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// The peer has begun to send on it, so that we may as well (RFC 7296 section 2.8).
    Used(u32),
    /// Some edge has sent most of the packets that it may under its key.
    Worn(u32),
}

impl Notice {
    fn inbound_spi(self) -> u32 {
        match self {
            Self::Used(spi) | Self::Worn(spi) => spi,
        }
    }
}

impl From<xfrm::Notice> for Notice {
    fn from(notice: xfrm::Notice) -> Self {
        match notice {
            xfrm::Notice::Used(spi) => Self::Used(spi),
            xfrm::Notice::Worn(spi) => Self::Worn(spi),
        }
    }
}

/// Tells the owner, here or at another edge.
pub(crate) struct Notifier {
    pub(crate) replica: SharedReplica,
    pub(crate) link: watch::Receiver<LinkState>,
    pub(crate) forwarder: Arc<Forwarder>,
    pub(crate) responder: mpsc::Sender<Input>,
    pub(crate) metrics: Metrics,
}

impl Notifier {
    pub(crate) fn tell(&self, notice: Notice) {
        let owner = self.replica.read().owner_of_child(notice.inbound_spi());
        let ours = self.link.borrow().lease(Instant::now());
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
        self.metrics.count(Family::Notices, outcome);
    }
}
