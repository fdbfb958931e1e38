//! From what comes in to the responder that it is for.

use std::sync::Arc;

use distributor_client::state::SharedReplica;
use ike::{Class, Router, Shard};
use ike_types::Source;
use proto::InboundSpi;

use super::input::{Datagram, Input};
use super::notice::Notice;
use super::queue::InputQueue;

/// The queues of all responders of this edge.
#[derive(Clone)]
pub(crate) struct Dispatcher {
    router: Router,
    replica: SharedReplica,
    queues: Arc<[InputQueue]>,
}

/// Which of an edge's responders one is.
#[derive(Clone)]
pub(crate) struct Place {
    router: Router,
    index: usize,
    queues: Arc<[InputQueue]>,
}

impl Dispatcher {
    /// For so many responders, one at least.
    pub(crate) fn new(responders: usize, router: Router, replica: SharedReplica) -> Self {
        Self {
            router,
            replica,
            queues: (0..responders.max(1)).map(|_| InputQueue::default()).collect(),
        }
    }

    /// One for each responder.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        (0..self.queues.len()).map(|index| Place {
            router: self.router.clone(),
            index,
            queues: Arc::clone(&self.queues),
        })
    }

    pub(crate) fn router(&self) -> &Router {
        &self.router
    }

    /// False when its responder has too much to do.
    #[must_use]
    pub(crate) fn datagram(&self, class: Class, shard: Shard, datagram: Datagram) -> bool {
        let source = Source::of(datagram.path.peer.ip());
        self.queue(shard)
            .push(class, Some(source), Input::Datagram(datagram))
    }

    /// False when its responder has too much to do, or none has the child SA.
    #[must_use]
    pub(crate) fn notice(&self, notice: Notice) -> bool {
        let spi = InboundSpi::try_from(notice.inbound_spi());
        let shard = spi.ok().and_then(|spi| {
            let replica = self.replica.read();
            let ike_sa = replica.child_sa(spi)?.header().ike.responder;
            Some(self.router.shard_of(ike_sa))
        });
        shard.is_some_and(|shard| self.queue(shard).push(Class::Known, None, Input::Notice(notice)))
    }

    fn queue(&self, shard: Shard) -> &InputQueue {
        &self.queues[shard.of(self.queues.len())]
    }
}

impl Place {
    /// What waits for this responder.
    pub(crate) fn queue(&self) -> &InputQueue {
        &self.queues[self.index]
    }

    /// Whether the IKE SA with this responder SPI, which is one of this edge's, is this responder's.
    pub(crate) fn has(&self, responder_spi: u64) -> bool {
        self.router.shard_of(responder_spi).of(self.queues.len()) == self.index
    }

    /// Its part of something that all responders of the edge may have together, one at least.
    pub(crate) fn share_of(&self, all: usize) -> usize {
        all.div_ceil(self.queues.len())
    }
}
