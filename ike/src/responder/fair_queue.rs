//! What waits for one responder, so that a flood takes its own place only.

use std::collections::{HashMap, VecDeque};

use ike_types::Source;

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

/// A queue of `T` in which sources take turns.
///
/// Each source has a queue of its own; those that begin an IKE SA, which anybody can with a forged address, take turns
/// with all the others. When there is no room, the source with the longest queue makes some.
#[derive(Debug)]
pub struct FairQueue<T> {
    new: Lane<T>,
    known: Lane<T>,
    /// Whose turn it is.
    is_turn_of_new: bool,
}

/// The items of one class.
#[derive(Debug)]
struct Lane<T> {
    /// None is empty. `None` for what comes from no peer.
    of_source: HashMap<Option<Source>, VecDeque<T>>,
    /// Each that has items, the next one's first.
    turns: VecDeque<Option<Source>>,
    length: usize,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self {
            of_source: HashMap::new(),
            turns: VecDeque::new(),
            length: 0,
        }
    }
}

impl<T> Lane<T> {
    /// False when there is no room for it.
    fn push(&mut self, source: Option<Source>, item: T) -> bool {
        if self.length >= ROOM && !self.make_room(source) {
            return false;
        }
        let queue = self.of_source.entry(source).or_default();
        if queue.is_empty() {
            self.turns.push_back(source);
        }
        queue.push_back(item);
        self.length += 1;
        true
    }

    /// Drops the newest item of the source that has the most, if `source` has fewer.
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

    fn pop(&mut self) -> Option<T> {
        let source = self.turns.pop_front()?;
        let queue = self.of_source.get_mut(&source)?;
        let item = queue.pop_front();
        match queue.is_empty() {
            true => drop(self.of_source.remove(&source)),
            false => self.turns.push_back(source),
        }
        self.length -= 1;
        item
    }
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            new: Lane::default(),
            known: Lane::default(),
            is_turn_of_new: false,
        }
    }
}

impl<T> FairQueue<T> {
    /// False when there is no room for it. `source` is `None` for what comes from no peer.
    #[must_use]
    pub fn push(&mut self, class: Class, source: Option<Source>, item: T) -> bool {
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
