//! What waits for one responder, so that a flood takes its own place only.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Items of one class that wait at most. When there are more, some are dropped: peers send again.
const ROOM: usize = 512;

/// What kind of item it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It begins an IKE SA, or nobody can make anything of it.
    New,
    /// It belongs to an IKE SA that there is, or was.
    Known,
}

/// A queue of `T` in which sources, each known by a `K`, take turns.
///
/// Each source has a queue of its own; those that begin an IKE SA, which anybody can with a forged address, take turns
/// with all the others. When there is no room, the source with the longest queue makes some. No step searches: what one
/// costs does not depend on how many sources there are.
#[derive(Debug)]
pub struct FairQueue<K, T> {
    new: Lane<K, T>,
    known: Lane<K, T>,
    /// Whose turn it is.
    is_turn_of_new: bool,
}

/// The items of one class.
#[derive(Debug)]
struct Lane<K, T> {
    /// Those of [`Self::turns`].
    of_source: HashMap<K, Waiting<T>>,
    /// Each that has items, the next one's first.
    turns: VecDeque<K>,
    /// At each index, the sources that have so many items, so that the longest queue is found at once.
    by_length: Vec<Vec<K>>,
    /// The last index of [`Self::by_length`] with a source, or zero.
    longest: usize,
    length: usize,
}

/// The items of one source.
#[derive(Debug)]
struct Waiting<T> {
    items: VecDeque<T>,
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
    fn push(&mut self, source: K, item: T) -> bool {
        let own = self.of_source.get(&source).map_or(0, |waiting| waiting.length);
        while self.length + 1 > ROOM {
            // Whoever has more than this source would have makes room; a flood does not for itself.
            if self.longest <= own + 1 {
                return false;
            }
            self.drop_of_longest();
        }
        if !self.of_source.contains_key(&source) {
            self.turns.push_back(source.clone());
        }
        let waiting = self.of_source.entry(source.clone()).or_default();
        waiting.items.push_back(item);
        self.length += 1;
        self.set_length(&source, own + 1);
        true
    }

    /// Drops the newest item of a source with the longest queue.
    fn drop_of_longest(&mut self) {
        let Some(source) = self.by_length.get(self.longest).and_then(|of| of.last()).cloned() else {
            return;
        };
        if let Some(waiting) = self.of_source.get_mut(&source)
            && waiting.items.pop_back().is_some()
        {
            let left = waiting.length - 1;
            self.length -= 1;
            self.set_length(&source, left);
        }
    }

    fn pop(&mut self) -> Option<T> {
        let source = self.turns.pop_front()?;
        let waiting = self.of_source.get_mut(&source)?;
        let item = waiting.items.pop_front()?;
        let left = waiting.length - 1;
        let is_last = waiting.items.is_empty();
        self.length -= 1;
        self.set_length(&source, left);
        match is_last {
            true => drop(self.of_source.remove(&source)),
            false => self.turns.push_back(source),
        }
        Some(item)
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
            new: Lane::default(),
            known: Lane::default(),
            is_turn_of_new: false,
        }
    }
}

impl<K: Clone + Eq + Hash, T> FairQueue<K, T> {
    /// False when there is no room for it.
    #[must_use]
    pub fn push(&mut self, class: Class, source: K, item: T) -> bool {
        match class {
            Class::New => self.new.push(source, item),
            Class::Known => self.known.push(source, item),
        }
    }

    /// The next one.
    pub fn pop(&mut self) -> Option<T> {
        self.is_turn_of_new = !self.is_turn_of_new;
        match self.is_turn_of_new {
            true => self.new.pop().or_else(|| self.known.pop()),
            false => self.known.pop().or_else(|| self.new.pop()),
        }
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.new.length + self.known.length == 0
    }
}
