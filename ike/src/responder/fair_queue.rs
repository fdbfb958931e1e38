//! What waits for one responder, so that a flood takes its own place only.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// What waits of one class at most, in units. When there is more, some is dropped: peers send again.
const ROOM: usize = 512;

/// An item counts as a unit for each that it begins. Most messages are shorter than one.
const UNIT_OCTETS: usize = 2048;

/// What kind of item it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It begins an IKE SA, or nobody can make anything of it.
    New,
    /// It names an IKE SA that is not established: half-open, or gone, or never there.
    Unproven,
    /// It belongs to an established IKE SA.
    Known,
}

impl Class {
    const COUNT: usize = 3;
}

/// A queue of `T` in which sources, each known by a `K`, take turns.
///
/// Each source has a queue of its own. The classes take turns, so that what anybody can send with a forged address leaves
/// room for established IKE SAs. When there is no room, the source with the longest queue makes some. Long items count for
/// several. No step searches: what one
/// costs does not depend on how many sources there are.
#[derive(Debug)]
pub struct FairQueue<K, T> {
    /// One for each class.
    lanes: [Lane<K, T>; Class::COUNT],
    /// Whose turn it is.
    turn: usize,
}

/// The items of one class.
#[derive(Debug)]
struct Lane<K, T> {
    /// Those of [`Self::turns`]. One that has lost all it had stays until its turn, so that no other has to be searched for it.
    of_source: HashMap<K, Waiting<T>>,
    /// The next one's first.
    turns: VecDeque<K>,
    /// At each index, the sources that have so many units, so that the longest queue is found at once.
    by_length: Vec<Vec<K>>,
    /// The last index of [`Self::by_length`] with a source, or zero.
    longest: usize,
    length: usize,
}

/// The items of one source.
#[derive(Debug)]
struct Waiting<T> {
    /// Each with its units.
    items: VecDeque<(usize, T)>,
    /// The units of all.
    length: usize,
    /// Where the source stands among those of its length.
    place: usize,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self {
            items: VecDeque::new(),
            length: 0,
            place: 0,
        }
    }
}

impl<K, T> Default for Lane<K, T> {
    fn default() -> Self {
        Self {
            of_source: HashMap::new(),
            turns: VecDeque::new(),
            by_length: Vec::new(),
            longest: 0,
            length: 0,
        }
    }
}

impl<K: Clone + Eq + Hash, T> Lane<K, T> {
    /// False when there is no room for it.
    fn push(&mut self, source: K, units: usize, item: T) -> bool {
        let own = self.of_source.get(&source).map_or(0, |waiting| waiting.length);
        while self.length + units > ROOM {
            // Whoever has more than this source would have makes room; a flood does not for itself.
            if self.longest <= own + units {
                return false;
            }
            self.drop_of_longest();
        }
        if !self.of_source.contains_key(&source) {
            self.turns.push_back(source.clone());
        }
        let waiting = self.of_source.entry(source.clone()).or_default();
        waiting.items.push_back((units, item));
        self.length += units;
        self.set_length(&source, own + units);
        true
    }

    /// Drops the newest item of a source with the longest queue.
    fn drop_of_longest(&mut self) {
        let Some(source) = self.by_length.get(self.longest).and_then(|of| of.last()).cloned() else {
            return;
        };
        if let Some(waiting) = self.of_source.get_mut(&source)
            && let Some((units, _)) = waiting.items.pop_back()
        {
            let left = waiting.length - units;
            self.length -= units;
            self.set_length(&source, left);
        }
    }

    fn pop(&mut self) -> Option<T> {
        loop {
            let source = self.turns.pop_front()?;
            let waiting = self.of_source.get_mut(&source)?;
            let Some((units, item)) = waiting.items.pop_front() else {
                self.of_source.remove(&source);
                continue;
            };
            let left = waiting.length - units;
            self.length -= units;
            self.set_length(&source, left);
            match left {
                0 => drop(self.of_source.remove(&source)),
                _ => self.turns.push_back(source),
            }
            return Some(item);
        }
    }

    /// Puts a source among those that have as much.
    fn set_length(&mut self, source: &K, length: usize) {
        let Some(waiting) = self.of_source.get_mut(source) else {
            return;
        };
        let (before, place) = (waiting.length, waiting.place);
        waiting.length = length;
        if before > 0 {
            let of_length = &mut self.by_length[before];
            of_length.swap_remove(place);
            if let Some(moved) = of_length.get(place)
                && let Some(waiting) = self.of_source.get_mut(moved)
            {
                waiting.place = place;
            }
        }
        if length > 0 {
            if self.by_length.len() <= length {
                self.by_length.resize_with(length + 1, Vec::new);
            }
            let of_length = &mut self.by_length[length];
            if let Some(waiting) = self.of_source.get_mut(source) {
                waiting.place = of_length.len();
            }
            of_length.push(source.clone());
        }
        self.longest = self.longest.max(length);
        // By no more than what the source has given up.
        while self.longest > 0 && self.by_length[self.longest].is_empty() {
            self.longest -= 1;
        }
    }
}

impl<K, T> Default for FairQueue<K, T> {
    fn default() -> Self {
        Self {
            lanes: Default::default(),
            turn: 0,
        }
    }
}

/// The octets of all items of a [`FairQueue`] at most.
pub const FAIR_QUEUE_OCTETS: usize = Class::COUNT * ROOM * UNIT_OCTETS;

impl<K: Clone + Eq + Hash, T> FairQueue<K, T> {
    /// False when there is no room for it. It takes so many octets elsewhere.
    #[must_use]
    pub fn push(&mut self, class: Class, source: K, octets: usize, item: T) -> bool {
        let units = octets.div_ceil(UNIT_OCTETS).max(1);
        self.lanes[class as usize].push(source, units, item)
    }

    /// The next one.
    pub fn pop(&mut self) -> Option<T> {
        (0..Class::COUNT).find_map(|_| {
            let lane = self.turn;
            self.turn = (lane + 1) % Class::COUNT;
            self.lanes[lane].pop()
        })
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.length == 0)
    }
}
