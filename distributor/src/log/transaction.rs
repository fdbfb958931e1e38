//! A transaction: what one change makes of a state. It counts when the store has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::{Body, InboundSpi, Key, Record, Slot, Timestamp, Tombstone};

use crate::log::state::{Counters, Entry, Place, State};

/// A state in the making: everything that is put or deleted here belongs to one revision, which nobody hears of before the
/// store has it. A transaction that was made on an older state than the store's is dropped, and made again.
#[derive(Debug)]
pub(crate) struct Transaction {
    state: State,
    revision: u64,
    now: Timestamp,
    written: BTreeMap<Key, Arc<Entry>>,
    purged: Vec<Key>,
    next_index: u32,
    /// The newest revision among records that were asked for and were there already.
    confirmed: u64,
    ike_sas: u32,
    child_sas: u32,
}

/// What one change has done, or found done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// When the edges have applied it, they have applied the change.
    pub(crate) revision: u64,
    /// IKE SAs that were deleted.
    pub(crate) ike_sas: u32,
    /// Child SAs that were deleted.
    pub(crate) child_sas: u32,
}

/// What the store has to write for a change.
#[derive(Debug)]
pub(crate) struct Writes {
    pub(crate) put: Vec<Arc<Entry>>,
    pub(crate) delete: Vec<Key>,
    pub(crate) counters: Counters,
}

impl Writes {
    /// True when the store would be the same afterwards.
    pub(crate) fn is_empty(&self, before: &State) -> bool {
        self.put.is_empty() && self.delete.is_empty() && self.counters == before.counters
    }
}

impl Transaction {
    /// `now` dates the tombstones.
    pub(crate) fn new(state: &State, now: Timestamp) -> Self {
        Self {
            state: state.clone(),
            revision: state.head() + 1,
            now,
            written: BTreeMap::new(),
            purged: Vec::new(),
            next_index: 0,
            confirmed: 0,
            ike_sas: 0,
            child_sas: 0,
        }
    }

    /// The state as it is with what was put and deleted so far.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Writes a record; the same content again is left as it is.
    pub(crate) fn put(&mut self, body: Body) {
        let record = Record {
            revision: self.revision,
            body,
        };
        let key = record.key();
        match self.state.get(&key) {
            Some(there) if there.record.body == record.body => {
                self.confirmed = self.confirmed.max(there.record.revision)
            }
            _ => {
                let place = Place {
                    revision: self.revision,
                    index: self.next_index,
                };
                self.next_index += 1;
                let entry = Arc::new(Entry {
                    encoded: record.encode(),
                    record,
                    place,
                });
                self.state.insert(Arc::clone(&entry));
                self.written.insert(key, entry);
            }
        }
    }

    /// Puts a tombstone in a record's place and in those of what depends on it: a tunnel's IKE SAs, an IKE SA's
    /// children. What is deleted or was never there stays as it is.
    pub(crate) fn delete(&mut self, key: &Key) {
        let Some(entry) = self.state.get(key) else { return };
        match &entry.record.body {
            Body::Tombstone(_) => {
                self.confirmed = self.confirmed.max(entry.record.revision);
                return;
            }
            Body::Tunnel(sealed) => {
                let sas: Vec<u64> = self.state.ike_sas_of(&sealed.header().name).collect();
                sas.into_iter().for_each(|spi| self.delete(&Key::IkeSa(spi)));
            }
            Body::IkeSa(sealed) => {
                let children: Vec<InboundSpi> =
                    self.state.children_of(sealed.header().spis.responder).collect();
                self.ike_sas += 1;
                children
                    .into_iter()
                    .for_each(|spi| self.delete(&Key::ChildSa(spi)));
            }
            Body::ChildSa(_) => self.child_sas += 1,
            Body::Edge(_) => {}
        }
        self.put(Body::Tombstone(Tombstone {
            key: key.clone(),
            deleted: self.now,
        }));
    }

    /// Forgets a tombstone for good.
    pub(crate) fn purge(&mut self, key: &Key) {
        if let Some(entry) = self.state.remove(key) {
            self.state.counters.purged = self.state.counters.purged.max(entry.record.revision);
            self.purged.push(key.clone());
        }
    }

    /// A number that no process ever had; `None` when there is none left.
    pub(crate) fn next_incarnation(&mut self) -> Option<u32> {
        self.state.counters.incarnation = self.state.counters.incarnation.checked_add(1)?;
        Some(self.state.counters.incarnation)
    }

    /// A slot that no edge ever had; `None` when there is none left.
    pub(crate) fn next_slot(&mut self) -> Option<Slot> {
        let slot = Slot::new(self.state.counters.highest_slot + 1)?;
        self.state.counters.highest_slot = slot.get();
        Some(slot)
    }

    /// The new state, what the change did, and what the store must have before anyone may see either.
    pub(crate) fn finish(mut self) -> (State, Outcome, Writes) {
        let revision = if self.written.is_empty() {
            self.confirmed
        } else {
            self.revision
        };
        self.state.counters.head = self.state.counters.head.max(revision);
        let outcome = Outcome {
            revision,
            ike_sas: self.ike_sas,
            child_sas: self.child_sas,
        };
        let writes = Writes {
            put: self.written.into_values().collect(),
            delete: self.purged,
            counters: self.state.counters,
        };
        (self.state, outcome, writes)
    }
}
