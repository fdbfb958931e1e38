//! What waits for one responder.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ike::{Class, FAIR_QUEUE_OCTETS, FairQueue};
use ike_types::Source;
use proto::Name;
use tokio::sync::Notify;

use super::input::Input;
use crate::MOST_THREADS;

/// The octets of all messages that wait at an edge at most, with as many responders as it may have.
const MOST_OCTETS: usize = 192 << 20;

const _: () = assert!(MOST_THREADS * FAIR_QUEUE_OCTETS <= MOST_OCTETS);

/// Who takes turns with others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sender {
    /// Whoever sends from there.
    Address(Source),
    /// A customer: no other can take its turns, wherever it says it is.
    Tunnel(Name),
    /// The customer of the child SA with this inbound SPI, of which there is no record yet.
    Child(u32),
}

/// A queue for all inputs of one responder, in which sources take turns. When there is no room, inputs are dropped: customers send
/// again, and of a notice that is lost the responder's own timers take care.
#[derive(Default)]
pub(crate) struct InputQueue {
    waiting: Mutex<FairQueue<Sender, Input>>,
    arrived: Notify,
}

impl InputQueue {
    /// False when there is no room for it.
    #[must_use]
    pub(crate) fn push(&self, class: Class, sender: Sender, input: Input) -> bool {
        let is_in = self.waiting().push(class, sender, input.octets(), input);
        if is_in {
            self.arrived.notify_one();
        }
        is_in
    }

    /// Moves so many at most to the end of `inputs`.
    pub(crate) fn take(&self, most: usize, inputs: &mut Vec<Input>) {
        let mut waiting = self.waiting();
        inputs.extend(std::iter::from_fn(|| waiting.pop()).take(most));
    }

    /// Returns when there is something. For one waiter.
    pub(crate) async fn wait(&self) {
        while self.waiting().is_empty() {
            self.arrived.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, FairQueue<Sender, Input>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::hash::{Hash, Hasher};
    use std::net::Ipv4Addr;
    use std::rc::Rc;

    use ike::Path;

    use super::*;
    use crate::ingress::input::{Datagram, MOST_OCTETS as MOST_OCTETS_OF_ONE};

    /// The `number`th datagram of a peer.
    fn datagram(peer: u8, number: u8) -> (Sender, Input) {
        let path = Path {
            local: ([203, 0, 113, 1], 500).into(),
            peer: ([192, 0, 2, peer], 500).into(),
        };
        let payload = vec![peer, number];
        (
            Sender::Address(Source::of(path.peer.ip())),
            Input::Datagram(Datagram { path, payload }),
        )
    }

    fn push(queue: &InputQueue, class: Class, peer: u8, number: u8) -> bool {
        let (sender, input) = datagram(peer, number);
        queue.push(class, sender, input)
    }

    /// Peer and number of each.
    fn take(queue: &InputQueue, most: usize) -> Vec<[u8; 2]> {
        let mut inputs = Vec::new();
        queue.take(most, &mut inputs);
        let payload = |input| match input {
            Input::Datagram(Datagram { payload, .. }) => payload.try_into().unwrap(),
            Input::Notice(_) => panic!("no notice was put in"),
        };
        inputs.into_iter().map(payload).collect()
    }

    #[test]
    fn sources_take_turns_and_each_keeps_its_order() {
        let queue = InputQueue::default();
        for number in 0..3 {
            push(&queue, Class::Known, 1, number);
        }
        push(&queue, Class::Known, 2, 0);
        push(&queue, Class::Known, 3, 0);
        assert_eq!(take(&queue, 9), [[1, 0], [2, 0], [3, 0], [1, 1], [1, 2]]);
        assert!(take(&queue, 9).is_empty());
    }

    #[test]
    fn what_begins_takes_turns_with_what_goes_on() {
        let queue = InputQueue::default();
        for peer in 1..=3 {
            push(&queue, Class::New, peer, 0);
            push(&queue, Class::Known, 10 + peer, 0);
        }
        let peers: Vec<_> = take(&queue, 9).iter().map(|it| it[0]).collect();
        assert_eq!(peers, [1, 11, 2, 12, 3, 13]);
    }

    /// As long as the flood lasts, whoever else comes is next but one.
    #[test]
    fn a_flood_fills_its_own_share_only() {
        let queue = InputQueue::default();
        let taken = (0..2000).filter(|_| push(&queue, Class::New, 1, 0)).count();
        assert_eq!(taken, 512);
        assert!(push(&queue, Class::New, 2, 7), "another customer has a place");
        assert!(!push(&queue, Class::New, 1, 0));
        assert_eq!(take(&queue, 2)[1], [2, 7]);
        assert!(
            push(&queue, Class::Known, 3, 9),
            "and so has whoever is connected"
        );
    }

    #[test]
    fn when_all_have_one_nobody_makes_room() {
        let queue = InputQueue::default();
        for peer in 0..=255_u8 {
            for half in [0, 1] {
                let path = Path {
                    local: ([203, 0, 113, 1], 500).into(),
                    peer: ([192, 0, half, peer], 500).into(),
                };
                let payload = vec![peer, half];
                let sender = Sender::Address(Source::of(path.peer.ip()));
                assert!(queue.push(Class::New, sender, Input::Datagram(Datagram { path, payload })));
            }
        }
        assert!(!push(&queue, Class::New, 1, 0));
        assert_eq!(take(&queue, 1000).len(), 512);
    }

    /// The longest there are, each from an address of its own, and a short one that comes after them.
    #[test]
    fn long_messages_have_no_more_octets_than_there_is_room_for_and_give_way_to_short_ones() {
        let queue = InputQueue::default();
        let mut from = Ipv4Addr::new(192, 0, 2, 1).to_bits();
        let mut push = |octets: usize| {
            from += 1;
            let path = Path {
                local: ([203, 0, 113, 1], 500).into(),
                peer: (Ipv4Addr::from_bits(from), 500).into(),
            };
            let payload = vec![0; octets];
            let sender = Sender::Address(Source::of(path.peer.ip()));
            queue.push(Class::Known, sender, Input::Datagram(Datagram { path, payload }))
        };
        for _ in 0..1000 {
            let _ = push(MOST_OCTETS_OF_ONE);
        }
        assert!(push(100));
        let mut inputs = Vec::new();
        queue.take(1000, &mut inputs);
        let octets: usize = inputs.iter().map(Input::octets).sum();
        assert!(octets <= FAIR_QUEUE_OCTETS, "{octets} octets");
        assert_eq!(inputs.last().map(Input::octets), Some(100));
        assert!(inputs.len() > 10, "{} long ones had room", inputs.len());
        assert!(queue.waiting().pop().is_none() && queue.waiting().is_empty());
    }

    /// A source that counts how often it is looked up.
    #[derive(Clone, Debug)]
    struct Counted(usize, Rc<Cell<usize>>);

    impl PartialEq for Counted {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }

    impl Eq for Counted {}

    impl Hash for Counted {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.1.set(self.1.get() + 1);
            self.0.hash(state);
        }
    }

    /// How many sources are looked up when one with nothing takes the place of what another has too much of.
    #[test]
    fn making_room_costs_the_same_whatever_the_number_of_sources() {
        let look_ups = |sources: usize| {
            let count = Rc::default();
            let mut queue = FairQueue::default();
            for number in 0..sources {
                assert!(queue.push(Class::New, Counted(number, Rc::clone(&count)), 0, ()));
            }
            while queue.push(Class::New, Counted(0, Rc::clone(&count)), 0, ()) {}
            count.set(0);
            assert!(queue.push(Class::New, Counted(sources, Rc::clone(&count)), 0, ()));
            count.get()
        };
        assert_eq!(look_ups(400), look_ups(4));
    }

    #[tokio::test]
    async fn a_waiter_hears_of_what_comes_before_and_after() {
        let queue = InputQueue::default();
        push(&queue, Class::Known, 1, 0);
        queue.wait().await;
        assert_eq!(take(&queue, 9).len(), 1);
        let (waited, is_in) = tokio::join!(
            async {
                queue.wait().await;
                take(&queue, 9)
            },
            async { push(&queue, Class::New, 2, 1) }
        );
        assert!(is_in);
        assert_eq!(waited, [[2, 1]]);
    }
}
