//! What waits for one responder, so that a flood takes its own place only.
//!
//! Each source has a queue of its own, and they take turns; those that begin an IKE SA, which anybody can with a forged address, take
//! turns with all the others. When there is no room, the source with the longest queue makes some.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ike_types::Source;
use tokio::sync::Notify;

use super::input::Input;

/// Inputs of one class that wait at most. When there are more, some are dropped: customers send again, and of a notice
/// that is lost the responder's own timers take care.
const ROOM: usize = 512;

/// What kind of input it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It begins an IKE SA, or nobody can make anything of it.
    New,
    /// It belongs to an IKE SA that there is, or was.
    Known,
}

/// A queue for all inputs of one responder.
#[derive(Default)]
pub(crate) struct FairQueue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    new: Lane,
    known: Lane,
    /// Whose turn it is.
    is_turn_of_new: bool,
}

/// The inputs of one class.
#[derive(Default)]
struct Lane {
    /// None is empty. `None` for the kernel's notices.
    of_source: HashMap<Option<Source>, VecDeque<Input>>,
    /// Each that has inputs, the next one's first.
    turns: VecDeque<Option<Source>>,
    length: usize,
}

impl Lane {
    /// False when there is no room for it.
    fn push(&mut self, source: Option<Source>, input: Input) -> bool {
        if self.length >= ROOM && !self.make_room(source) {
            return false;
        }
        let queue = self.of_source.entry(source).or_default();
        if queue.is_empty() {
            self.turns.push_back(source);
        }
        queue.push_back(input);
        self.length += 1;
        true
    }

    /// Drops the newest input of the source that has the most, if `source` has fewer.
    fn make_room(&mut self, source: Option<Source>) -> bool {
        let own = self.of_source.get(&source).map_or(0, VecDeque::len);
        // With its share or more it has nothing to ask for; so a flood costs no search.
        if own >= ROOM / self.turns.len().max(1) {
            return false;
        }
        let longest = self.turns.iter().max_by_key(|source| self.length_of(source));
        let Some(longest) = longest
            .copied()
            .filter(|longest| self.length_of(longest) > own + 1)
        else {
            return false;
        };
        if let Some(queue) = self.of_source.get_mut(&longest) {
            queue.pop_back();
            self.length -= 1;
        }
        true
    }

    fn length_of(&self, source: &Option<Source>) -> usize {
        self.of_source.get(source).map_or(0, VecDeque::len)
    }

    fn pop(&mut self) -> Option<Input> {
        let source = self.turns.pop_front()?;
        let queue = self.of_source.get_mut(&source)?;
        let input = queue.pop_front();
        match queue.is_empty() {
            true => drop(self.of_source.remove(&source)),
            false => self.turns.push_back(source),
        }
        self.length -= 1;
        input
    }
}

impl FairQueue {
    /// False when there is no room for it. `source` is `None` for what does not come from a peer.
    pub(crate) fn push(&self, class: Class, source: Option<Source>, input: Input) -> bool {
        let is_in = {
            let mut waiting = self.waiting();
            let lane = match class {
                Class::New => &mut waiting.new,
                Class::Known => &mut waiting.known,
            };
            lane.push(source, input)
        };
        if is_in {
            self.arrived.notify_one();
        }
        is_in
    }

    /// Moves so many at most to the end of `inputs`.
    pub(crate) fn take(&self, most: usize, inputs: &mut Vec<Input>) {
        let mut waiting = self.waiting();
        for _ in 0..most {
            let Waiting {
                new,
                known,
                is_turn_of_new,
            } = &mut *waiting;
            *is_turn_of_new = !*is_turn_of_new;
            let input = match *is_turn_of_new {
                true => new.pop().or_else(|| known.pop()),
                false => known.pop().or_else(|| new.pop()),
            };
            let Some(input) = input else { return };
            inputs.push(input);
        }
    }

    /// Returns when there is something. For one waiter.
    pub(crate) async fn wait(&self) {
        while self.is_empty() {
            self.arrived.notified().await;
        }
    }

    fn is_empty(&self) -> bool {
        let waiting = self.waiting();
        waiting.new.length + waiting.known.length == 0
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ike::Path;

    use super::*;
    use crate::ingress::input::Datagram;

    /// The `number`th datagram of a peer.
    fn datagram(peer: u8, number: u8) -> (Option<Source>, Input) {
        let path = Path {
            local: ([203, 0, 113, 1], 500).into(),
            peer: ([192, 0, 2, peer], 500).into(),
        };
        let payload = vec![peer, number];
        (
            Some(Source::of(path.peer.ip())),
            Input::Datagram(Datagram { path, payload }),
        )
    }

    fn push(queue: &FairQueue, class: Class, peer: u8, number: u8) -> bool {
        let (source, input) = datagram(peer, number);
        queue.push(class, source, input)
    }

    /// Peer and number of each.
    fn take(queue: &FairQueue, most: usize) -> Vec<[u8; 2]> {
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
        let queue = FairQueue::default();
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
        let queue = FairQueue::default();
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
        let queue = FairQueue::default();
        let taken = (0..2000).filter(|_| push(&queue, Class::New, 1, 0)).count();
        assert_eq!(taken, ROOM);
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
        let queue = FairQueue::default();
        for peer in 0..=255_u8 {
            for half in [0, 1] {
                let path = Path {
                    local: ([203, 0, 113, 1], 500).into(),
                    peer: ([192, 0, half, peer], 500).into(),
                };
                let payload = vec![peer, half];
                let source = Some(Source::of(path.peer.ip()));
                assert!(queue.push(Class::New, source, Input::Datagram(Datagram { path, payload })));
            }
        }
        assert!(!push(&queue, Class::New, 1, 0));
        assert_eq!(take(&queue, 1000).len(), ROOM);
    }

    #[tokio::test]
    async fn a_waiter_hears_of_what_comes_before_and_after() {
        let queue = FairQueue::default();
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
