//! What the log has come to: records by key, and by the revision that wrote them.
//!
//! A [`State`] is immutable and shares its parts with the states before it (persistent trees), so that a copy costs
//! nothing: a reader or a slow subscriber walks one state while the writer makes the next, and neither waits.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use proto::{Body, ChildSa, Edge, IkeSa, InboundSpi, Key, Name, Record, Sealed, Slot, Timestamp, Tunnel};
use rpds::{RedBlackTreeMapSync as Map, RedBlackTreeSetSync as Set};

/// A record and its only encoding, which the store and every stream share.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) record: Record,
    pub(crate) encoded: Bytes,
    pub(crate) place: Place,
}

/// Where a record stands in the order of all: its revision, and its place among those of the same revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) revision: u64,
    pub(crate) index: u32,
}

/// What the store keeps beside the records. A commit names those it was made on, and is refused when the store has others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Names this store, so that an edge cannot resume from another's revision.
    pub(crate) store: u64,
    /// The newest revision.
    pub(crate) head: u64,
    /// The newest revision of a purged tombstone. Who has not seen it needs a snapshot.
    pub(crate) purged: u64,
    /// The newest incarnation that was given to a process.
    pub(crate) incarnation: u32,
    /// The highest slot that was ever given to an edge; 0: none.
    pub(crate) highest_slot: u16,
}

/// What the log has come to at one revision.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) counters: Counters,
    by_key: Map<Key, Arc<Entry>>,
    by_place: Map<Place, Arc<Entry>>,
    ike_sas_of_tunnel: Set<(Name, u64)>,
    children_of_ike_sa: Set<(u64, InboundSpi)>,
    children_by_expiry: Set<(Timestamp, InboundSpi)>,
    tombstones_by_age: Set<(Timestamp, Key)>,
    slots: Map<Name, Slot>,
}

impl State {
    /// Nothing yet.
    pub(crate) fn new(counters: Counters) -> Self {
        Self {
            counters,
            by_key: Map::new_sync(),
            by_place: Map::new_sync(),
            ike_sas_of_tunnel: Set::new_sync(),
            children_of_ike_sa: Set::new_sync(),
            children_by_expiry: Set::new_sync(),
            tombstones_by_age: Set::new_sync(),
            slots: Map::new_sync(),
        }
    }

    /// What the store held, in any order.
    pub(crate) fn restored(counters: Counters, mut records: Vec<(Record, Bytes)>) -> Self {
        records.sort_by_key(|(record, _)| record.revision);
        let mut state = Self::new(counters);
        for (index, (record, encoded)) in records.into_iter().enumerate() {
            let place = Place {
                revision: record.revision,
                index: index as u32,
            };
            state.insert(Arc::new(Entry {
                record,
                encoded,
                place,
            }));
        }
        state
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    pub(crate) fn head(&self) -> u64 {
        self.counters.head
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Entry>> {
        self.by_key.get(key)
    }

    pub(crate) fn tunnel(&self, name: &Name) -> Option<&Sealed<Tunnel>> {
        let Body::Tunnel(sealed) = &self.get(&Key::Tunnel(name.clone()))?.record.body else {
            return None;
        };
        Some(sealed)
    }

    pub(crate) fn ike_sa(&self, responder_spi: u64) -> Option<&Sealed<IkeSa>> {
        let Body::IkeSa(sealed) = &self.get(&Key::IkeSa(responder_spi))?.record.body else {
            return None;
        };
        Some(sealed)
    }

    pub(crate) fn child_sa(&self, spi: InboundSpi) -> Option<&Sealed<ChildSa>> {
        let Body::ChildSa(sealed) = &self.get(&Key::ChildSa(spi))?.record.body else {
            return None;
        };
        Some(sealed)
    }

    /// The edge with this name.
    pub(crate) fn edge(&self, name: &Name) -> Option<&Edge> {
        self.edge_in(*self.slots.get(name)?)
    }

    /// The edge that has this slot.
    pub(crate) fn edge_in(&self, slot: Slot) -> Option<&Edge> {
        let Body::Edge(edge) = &self.get(&Key::Edge(slot))?.record.body else {
            return None;
        };
        Some(edge)
    }

    /// All edges, by name.
    pub(crate) fn edges(&self) -> impl Iterator<Item = &Edge> {
        self.slots.values().filter_map(|slot| self.edge_in(*slot))
    }

    /// All tunnels, by name.
    pub(crate) fn tunnels(&self) -> impl Iterator<Item = &Sealed<Tunnel>> {
        let end = Bound::Excluded(Key::ChildSa(InboundSpi::MIN));
        self.by_key
            .range((Bound::Unbounded, end))
            .filter_map(|(_, entry)| {
                let Body::Tunnel(sealed) = &entry.record.body else {
                    return None;
                };
                Some(sealed)
            })
    }

    /// Responder SPIs of a tunnel's IKE SAs.
    pub(crate) fn ike_sas_of(&self, tunnel: &Name) -> impl Iterator<Item = u64> {
        let range = (tunnel.clone(), 0)..=(tunnel.clone(), u64::MAX);
        self.ike_sas_of_tunnel.range(range).map(|(_, spi)| *spi)
    }

    /// Inbound SPIs of an IKE SA's children.
    pub(crate) fn children_of(&self, responder_spi: u64) -> impl Iterator<Item = InboundSpi> {
        let range = (responder_spi, InboundSpi::MIN)..=(responder_spi, InboundSpi::MAX);
        self.children_of_ike_sa.range(range).map(|(_, spi)| *spi)
    }

    /// Responder SPIs of all IKE SAs, by tunnel.
    pub(crate) fn ike_sas(&self) -> impl Iterator<Item = u64> {
        self.ike_sas_of_tunnel.iter().map(|(_, spi)| *spi)
    }

    /// How many tunnels, IKE SAs and child SAs there are.
    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        (
            self.tunnels().count(),
            self.ike_sas_of_tunnel.size(),
            self.children_of_ike_sa.size(),
        )
    }

    /// Child SAs whose time has run out.
    pub(crate) fn expired_children(&self, now: Timestamp) -> impl Iterator<Item = InboundSpi> {
        self.children_by_expiry
            .range(..=(now, InboundSpi::MAX))
            .map(|(_, spi)| *spi)
    }

    /// Keys of the tombstones that are older than `time`, oldest first.
    pub(crate) fn tombstones_before(&self, time: Timestamp) -> impl Iterator<Item = &Key> {
        self.tombstones_by_age
            .iter()
            .take_while(move |(deleted, _)| *deleted < time)
            .map(|(_, key)| key)
    }

    /// True when a child SA or a tombstone of one carries this slot.
    pub(crate) fn has_spi_of(&self, slot: Slot) -> bool {
        let (first, last) = InboundSpi::of_slot(slot);
        self.by_key
            .range(Key::ChildSa(first)..=Key::ChildSa(last))
            .next()
            .is_some()
    }

    /// Records behind a place in the order of all, with their places; `None` starts with the first.
    pub(crate) fn after(&self, place: Option<Place>) -> impl Iterator<Item = (Place, &Bytes)> {
        let start = place.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_place
            .range((start, Bound::Unbounded))
            .map(|(place, entry)| (*place, &entry.encoded))
    }

    /// True when who has everything up to `revision` can get along with what came after.
    pub(crate) fn can_resume(&self, store: u64, revision: u64) -> bool {
        store == self.counters.store && (self.counters.purged..=self.counters.head).contains(&revision)
    }

    pub(crate) fn insert(&mut self, entry: Arc<Entry>) {
        let key = entry.record.key();
        self.remove(&key);
        match &entry.record.body {
            Body::Tunnel(_) => {}
            Body::IkeSa(sealed) => {
                let sa = sealed.header();
                self.ike_sas_of_tunnel
                    .insert_mut((sa.tunnel.clone(), sa.spis.responder));
            }
            Body::ChildSa(sealed) => {
                let sa = sealed.header();
                self.children_of_ike_sa
                    .insert_mut((sa.ike.responder, sa.inbound_spi));
                self.children_by_expiry.insert_mut((sa.expires, sa.inbound_spi));
            }
            Body::Edge(edge) => self.slots.insert_mut(edge.name.clone(), edge.slot),
            Body::Tombstone(tombstone) => {
                self.tombstones_by_age
                    .insert_mut((tombstone.deleted, key.clone()));
            }
        }
        self.by_place.insert_mut(entry.place, Arc::clone(&entry));
        self.by_key.insert_mut(key, entry);
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<Arc<Entry>> {
        let entry = Arc::clone(self.by_key.get(key)?);
        self.by_key.remove_mut(key);
        self.by_place.remove_mut(&entry.place);
        match &entry.record.body {
            Body::Tunnel(_) => {}
            Body::IkeSa(sealed) => {
                let sa = sealed.header();
                self.ike_sas_of_tunnel
                    .remove_mut(&(sa.tunnel.clone(), sa.spis.responder));
            }
            Body::ChildSa(sealed) => {
                let sa = sealed.header();
                self.children_of_ike_sa
                    .remove_mut(&(sa.ike.responder, sa.inbound_spi));
                self.children_by_expiry.remove_mut(&(sa.expires, sa.inbound_spi));
            }
            Body::Edge(edge) => {
                self.slots.remove_mut(&edge.name);
            }
            Body::Tombstone(tombstone) => {
                self.tombstones_by_age
                    .remove_mut(&(tombstone.deleted, key.clone()));
            }
        }
        Some(entry)
    }
}

impl Place {
    /// Behind everything up to `revision`.
    pub(crate) fn end_of(revision: u64) -> Self {
        Self {
            revision,
            index: u32::MAX,
        }
    }
}
