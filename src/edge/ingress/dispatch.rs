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

    /// One that belongs to no IKE SA yet. False when its responder has too much to do.
    #[must_use]
    pub(crate) fn new_datagram(&self, shard: Shard, datagram: Datagram) -> bool {
        let sender = Sender::Address(Source::of(datagram.path.peer.ip()));
        self.queue(shard)
            .push(Class::New, sender, Input::Datagram(datagram))
    }

    /// One that names an IKE SA of this edge. False when its responder has too much to do. Anybody gets such an SPI by a request;
    /// that of an established IKE SA only the customer has.
    #[must_use]
    pub(crate) fn datagram(&self, shard: Shard, datagram: Datagram) -> bool {
        let (class, sender) = match self.tunnel_of(&datagram) {
            Some(tunnel) => (Class::Known, Sender::Tunnel(tunnel)),
            None => {
                let source = Source::of(datagram.path.peer.ip());
                (Class::Unproven, Sender::Address(source))
            }
        };
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

    /// Whose established IKE SA it names.
    fn tunnel_of(&self, datagram: &Datagram) -> Option<Name> {
        let spi = self.router.ike_sa_of(datagram.path, &datagram.payload)?;
        Some(self.replica.read().ike_sa(spi)?.tunnel.clone())
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
    use std::net::Ipv4Addr;

    use ike::Path;
    use ike::testkit::{Customer, Initiator};

    use super::*;
    use crate::fixtures;

    /// The responder SPI of an IKE SA of `calm`.
    const ESTABLISHED: u64 = 77;

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
            fixtures::ike_sa(3, ESTABLISHED, "calm"),
        ];
        *replica.write() = fixtures::snapshot(1, children, 3);
        Dispatcher::new(responders, router, replica)
    }

    /// What waits for one of the responders.
    fn take(place: &Place, most: usize) -> Vec<Input> {
        let mut inputs = Vec::new();
        place.queue().take(most, &mut inputs);
        inputs
    }

    /// A message to this responder SPI, from an address with this number.
    fn message(spi: u64, peer: u32) -> Datagram {
        let mut payload = Initiator::new(Customer::new(1), 1).start().payload;
        payload[8..16].copy_from_slice(&spi.to_be_bytes());
        let path = Path {
            local: ([203, 0, 113, 1], 500).into(),
            peer: (Ipv4Addr::from_bits(peer), 500).into(),
        };
        Datagram { path, payload }
    }

    /// The stranger has the SPI of a half-open IKE SA, and forges as many addresses as there is room for.
    #[test]
    fn whoever_is_connected_has_room_beside_strangers_with_an_spi_of_ours() {
        let dispatcher = dispatcher(1);
        let shard = dispatcher.router().shard_of(ESTABLISHED);
        let forged = (1..=1000).filter(|&peer| dispatcher.datagram(shard, message(5, peer)));
        assert_eq!(forged.count(), 512);
        let sent = || message(ESTABLISHED, 2000);
        assert!(dispatcher.datagram(shard, sent()));
        let place = dispatcher.places().next().unwrap();
        assert!(take(&place, 2).contains(&Input::Datagram(sent())));
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
