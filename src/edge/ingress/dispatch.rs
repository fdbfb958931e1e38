//! From what comes in to the responder that it is for.

use std::sync::Arc;

use distributor_client::state::SharedReplica;
use ike::{Class, Router, Shard};
use ike_types::Source;
use proto::{InboundSpi, Name};

use super::input::{Datagram, Input};
use super::notice::Notice;
use super::queue::{InputQueue, Sender};

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
        let sender = Sender::Address(Source::of(datagram.path.peer.ip()));
        self.queue(shard).push(class, sender, Input::Datagram(datagram))
    }

    /// False when its responder has too much to do. When there is no record of the child SA yet, any of them may be its responder:
    /// the others know nothing of it, and do nothing.
    #[must_use]
    pub(crate) fn notice(&self, notice: Notice) -> bool {
        let inbound_spi = notice.inbound_spi();
        let push = |queue: &InputQueue, sender| queue.push(Class::Known, sender, Input::Notice(notice));
        match self.place_of_child(inbound_spi) {
            Some((shard, tunnel)) => push(self.queue(shard), Sender::Tunnel(tunnel)),
            None => {
                let full = self
                    .queues
                    .iter()
                    .filter(|queue| !push(queue, Sender::Child(inbound_spi)));
                full.count() == 0
            }
        }
    }

    /// Where the IKE SA of a child SA is, and whose it is; `None` when there is no record of it.
    fn place_of_child(&self, inbound_spi: u32) -> Option<(Shard, Name)> {
        let spi = InboundSpi::try_from(inbound_spi).ok()?;
        let replica = self.replica.read();
        let child = replica.child_sa(spi)?.header();
        Some((self.router.shard_of(child.ike.responder), child.tunnel.clone()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    /// One of slot 1, with this number.
    fn child(number: u32) -> u32 {
        1 << 22 | number
    }

    /// For so many responders, of which each knows the child SAs of `noisy`, 1, and of `calm`, 2.
    fn dispatcher(responders: usize) -> Dispatcher {
        let router = Router::new(&fixtures::fleet_key().spi_key());
        let replica = SharedReplica::default();
        let children = vec![
            fixtures::child_sa(1, child(1), "noisy"),
            fixtures::child_sa(2, child(2), "calm"),
        ];
        *replica.write() = fixtures::snapshot(1, children, 2);
        Dispatcher::new(responders, router, replica)
    }

    /// What waits for one of the responders.
    fn take(place: &Place, most: usize) -> Vec<Input> {
        let mut inputs = Vec::new();
        place.queue().take(most, &mut inputs);
        inputs
    }

    #[test]
    fn one_customers_notices_leave_room_for_those_of_others() {
        let dispatcher = dispatcher(1);
        while dispatcher.notice(Notice::Used(child(1))) {}
        assert!(dispatcher.notice(Notice::Used(child(2))));
        let place = dispatcher.places().next().unwrap();
        assert_eq!(take(&place, 2)[1], Input::Notice(Notice::Used(child(2))));
    }

    /// It is of a child SA that an edge has heard of before this one has, though this one has made it.
    #[test]
    fn a_notice_without_a_record_goes_to_all_responders_and_any_other_to_its_own() {
        let dispatcher = dispatcher(3);
        let takers = |number| {
            assert!(dispatcher.notice(Notice::NearLimit(child(number))));
            let has_it = |place: &Place| !take(place, 9).is_empty();
            dispatcher.places().filter(has_it).count()
        };
        assert_eq!(takers(3), 3);
        assert_eq!(takers(1), 1);
    }
}
