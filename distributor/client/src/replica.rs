//! This edge's copy of the fleet's records.
//!
//! One task writes it from the distributor's stream, and everybody else reads it. Like the store it follows, it is its
//! own log: each record remembers when it was written here, so a reader that keeps a [`Cursor`] gets what has changed
//! since, each record once, in order and however late it comes. So there is no queue of changes that could overflow.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::{
    Body, ChildSa, Delta, IkeSa, InboundSpi, Key, Record, Resume, Sealed, Slot, Timestamp, Tombstone,
};

/// How long a tombstone is remembered here: as long as the distributor remembers it.
const TOMBSTONE_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How far somebody has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(u64);

/// What a reader has not read yet.
#[derive(Clone, Debug)]
pub struct Update {
    /// True when `records` is all there is: what the reader knows besides was deleted.
    pub whole: bool,
    /// Tombstones included, unless `whole`. In the order in which they were written.
    pub records: Vec<Arc<Record>>,
    /// How many edges share the outbound keys.
    pub senders: usize,
    /// Where the reader is when it has read all of it.
    pub cursor: Cursor,
    /// The same, as the distributor counts.
    pub position: Resume,
}

/// The records, their order, and what the stream has begun but not completed.
#[derive(Default)]
pub struct Replica {
    /// `None` until the first snapshot is complete.
    position: Option<Resume>,
    entries: BTreeMap<Key, Entry>,
    /// The same by the moment they were written. One key for each entry.
    order: BTreeMap<Cursor, Key>,
    written: Cursor,
    /// Tombstones written up to here may be forgotten.
    forgotten: Cursor,
    /// The living edges' unicast addresses.
    edges: BTreeMap<Slot, SocketAddr>,
    incoming: Incoming,
}

struct Entry {
    written: Cursor,
    record: Arc<Record>,
}

/// Records whose revision is not complete.
#[derive(Default)]
struct Incoming {
    is_snapshot: bool,
    records: Vec<Record>,
}

impl Replica {
    /// A new stream begins: what the last one left incomplete comes again.
    pub fn begin_stream(&mut self) {
        self.incoming = Incoming::default();
    }

    /// What comes now is the whole state.
    pub fn begin_snapshot(&mut self) {
        self.incoming = Incoming {
            is_snapshot: true,
            records: Vec::new(),
        };
    }

    /// Takes in what the stream of the store named `store` brought. True when that completes a revision, so that
    /// readers find changes.
    pub fn receive(&mut self, store: u64, delta: Delta, now: Timestamp) -> bool {
        self.incoming.records.extend(delta.records);
        let Some(revision) = delta.revision else {
            return false;
        };
        let Incoming { is_snapshot, records } = std::mem::take(&mut self.incoming);
        if is_snapshot {
            self.delete_all_but(&records, revision, now);
        }
        for record in records {
            self.write(record);
        }
        self.position = Some(Resume { store, revision });
        true
    }

    /// What the distributor need not send again; `None` before the first snapshot is complete.
    pub fn position(&self) -> Option<Resume> {
        self.position
    }

    /// What was written after `cursor`; everything for a reader without one, or with one that is older than what is
    /// remembered. `None` before the first snapshot is complete.
    pub fn since(&self, cursor: Option<Cursor>) -> Option<Update> {
        let position = self.position?;
        let whole = cursor.is_none_or(|cursor| cursor < self.forgotten);
        let first = if whole {
            Cursor::default()
        } else {
            cursor.unwrap_or_default().next()
        };
        let records = self
            .order
            .range(first..)
            .filter_map(|(_, key)| self.entries.get(key));
        let records: Vec<_> = records
            .map(|entry| Arc::clone(&entry.record))
            .filter(|record| !(whole && matches!(record.body, Body::Tombstone(_))))
            .collect();
        Some(Update {
            whole,
            records,
            senders: self.edges.len(),
            cursor: self.written,
            position,
        })
    }

    /// The living child SAs, for a reader that wants to go over all of them again.
    pub fn child_sas(&self) -> Vec<Arc<Record>> {
        let records = self.entries.values().map(|entry| &entry.record);
        records
            .filter(|record| matches!(record.body, Body::ChildSa(_)))
            .map(Arc::clone)
            .collect()
    }

    /// True when a child SA, or the tombstone of one, has this inbound SPI.
    pub fn is_esp_spi_taken(&self, spi: u32) -> bool {
        InboundSpi::try_from(spi).is_ok_and(|spi| self.entries.contains_key(&Key::ChildSa(spi)))
    }

    /// What is known of a living IKE SA.
    pub fn ike_sa(&self, responder_spi: u64) -> Option<&IkeSa> {
        let Body::IkeSa(sealed) = &self.entries.get(&Key::IkeSa(responder_spi))?.record.body else {
            return None;
        };
        Some(sealed.header())
    }

    /// What is known of a living child SA.
    pub fn child_sa(&self, spi: InboundSpi) -> Option<&Sealed<ChildSa>> {
        let Body::ChildSa(sealed) = &self.entries.get(&Key::ChildSa(spi))?.record.body else {
            return None;
        };
        Some(sealed)
    }

    /// The slot of the edge that runs the IKE SA of a child SA.
    pub fn owner_of_child(&self, spi: u32) -> Option<Slot> {
        let child = self.child_sa(InboundSpi::try_from(spi).ok()?)?;
        Some(self.ike_sa(child.header().ike.responder)?.slot)
    }

    /// Where the edge with this slot receives the IKE messages it owns.
    pub fn forward_address(&self, slot: Slot) -> Option<SocketAddr> {
        self.edges.get(&slot).copied()
    }

    /// How many edges share the outbound keys.
    pub fn senders(&self) -> usize {
        self.edges.len()
    }

    /// Forgets tombstones that nothing can ask for any more.
    pub fn forget_old_tombstones(&mut self, now: Timestamp) {
        let is_old = |entry: &Entry| {
            let Body::Tombstone(tombstone) = &entry.record.body else {
                return false;
            };
            tombstone.deleted.after(TOMBSTONE_LIFE) <= now
        };
        let old: Vec<Key> = self
            .entries
            .iter()
            .filter(|(_, entry)| is_old(entry))
            .map(|(key, _)| key.clone())
            .collect();
        for key in old {
            if let Some(entry) = self.entries.remove(&key) {
                self.order.remove(&entry.written);
                self.forgotten = self.forgotten.max(entry.written);
            }
        }
    }

    /// A snapshot says what is there; readers have to hear what is not there any more.
    fn delete_all_but(&mut self, snapshot: &[Record], revision: u64, now: Timestamp) {
        let kept: BTreeSet<Key> = snapshot.iter().map(Record::key).collect();
        let is_gone = |(key, entry): &(&Key, &Entry)| {
            !kept.contains(key) && !matches!(entry.record.body, Body::Tombstone(_))
        };
        let gone: Vec<Key> = self
            .entries
            .iter()
            .filter(is_gone)
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            let tombstone = Tombstone { key, deleted: now };
            self.write(Record {
                revision,
                body: Body::Tombstone(tombstone),
            });
        }
    }

    fn write(&mut self, record: Record) {
        let key = record.key();
        if self
            .entries
            .get(&key)
            .is_some_and(|entry| *entry.record == record)
        {
            return; // A snapshot brings much that is known.
        }
        match &record.body {
            Body::Edge(edge) => {
                self.edges.insert(edge.slot, edge.forward);
            }
            Body::Tombstone(_) => {
                if let Key::Edge(slot) = &key {
                    self.edges.remove(slot);
                }
            }
            Body::Tunnel(_) | Body::IkeSa(_) | Body::ChildSa(_) => {}
        }
        self.written = self.written.next();
        let entry = Entry {
            written: self.written,
            record: Arc::new(record),
        };
        self.order.insert(entry.written, key.clone());
        if let Some(replaced) = self.entries.insert(key, entry) {
            self.order.remove(&replaced.written);
        }
    }
}

impl Cursor {
    fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, child_sa, edge, snapshot, tombstone, tunnel};

    const STORE: u64 = 7;

    fn receive(replica: &mut Replica, records: Vec<Record>, revision: u64) -> bool {
        let revision = (revision != 0).then_some(revision);
        replica.receive(STORE, Delta { records, revision }, fixtures::now().into())
    }

    fn keys(update: &Update) -> Vec<String> {
        update
            .records
            .iter()
            .map(|record| {
                let is_tombstone = matches!(record.body, Body::Tombstone(_));
                format!("{}{}", if is_tombstone { "no " } else { "" }, record.key())
            })
            .collect()
    }

    #[test]
    fn nothing_is_known_before_the_first_snapshot_is_complete() {
        let mut replica = Replica::default();
        replica.begin_stream();
        replica.begin_snapshot();
        assert!(!receive(&mut replica, vec![tunnel(1, "acme", 1)], 0));
        assert!(replica.since(None).is_none());

        assert!(receive(&mut replica, vec![tunnel(2, "zeta", 2)], 2));
        let update = replica.since(None).unwrap();
        assert!(update.whole);
        assert_eq!(keys(&update), ["tunnel acme", "tunnel zeta"]);
        assert_eq!(
            update.position,
            Resume {
                store: STORE,
                revision: 2
            }
        );
    }

    #[test]
    fn a_reader_gets_each_record_once_and_its_newest_state_only() {
        let mut replica = snapshot(STORE, vec![tunnel(1, "acme", 1)], 1);
        let seen = replica.since(None).unwrap().cursor;

        receive(&mut replica, vec![child_sa(2, 0x0040_0001, "acme")], 2);
        receive(&mut replica, vec![tunnel(3, "acme", 1)], 3);
        receive(
            &mut replica,
            vec![tombstone(4, Key::ChildSa(fixtures::spi(0x0040_0001)))],
            4,
        );
        let update = replica.since(Some(seen)).unwrap();
        assert!(!update.whole);
        assert_eq!(keys(&update), ["tunnel acme", "no child SA 0x00400001"]);
        assert!(replica.since(Some(update.cursor)).unwrap().records.is_empty());
    }

    #[test]
    fn a_stream_that_breaks_leaves_no_half_revision() {
        let mut replica = snapshot(STORE, vec![], 1);
        receive(&mut replica, vec![tunnel(2, "acme", 1)], 0);
        replica.begin_stream();
        receive(&mut replica, vec![], 3);
        assert!(replica.since(None).unwrap().records.is_empty());
    }

    #[test]
    fn a_second_snapshot_deletes_what_it_lacks_and_leaves_alone_what_is_the_same() {
        let kept = tunnel(1, "acme", 1);
        let mut replica = snapshot(STORE, vec![kept.clone(), tunnel(2, "zeta", 2)], 2);
        let seen = replica.since(None).unwrap().cursor;

        replica.begin_stream();
        replica.begin_snapshot();
        replica.receive(
            8,
            Delta {
                records: vec![kept],
                revision: Some(1),
            },
            fixtures::now().into(),
        );
        let update = replica.since(Some(seen)).unwrap();
        assert_eq!(keys(&update), ["no tunnel zeta"]);
        assert_eq!(
            update.position,
            Resume {
                store: 8,
                revision: 1
            }
        );
    }

    #[test]
    fn an_spi_is_taken_until_its_tombstone_is_old() {
        let mut replica = snapshot(STORE, vec![child_sa(1, 0x0040_0001, "acme")], 1);
        assert!(replica.is_esp_spi_taken(0x0040_0001));
        assert!(!replica.is_esp_spi_taken(0x0040_0002));
        assert!(!replica.is_esp_spi_taken(0), "an SPI without a slot is nobody's");

        receive(
            &mut replica,
            vec![tombstone(2, Key::ChildSa(fixtures::spi(0x0040_0001)))],
            2,
        );
        assert!(replica.is_esp_spi_taken(0x0040_0001));
        let before = Timestamp::from(fixtures::now()).after(TOMBSTONE_LIFE - Duration::from_millis(1));
        replica.forget_old_tombstones(before);
        assert!(replica.is_esp_spi_taken(0x0040_0001));
        replica.forget_old_tombstones(before.after(Duration::from_millis(1)));
        assert!(!replica.is_esp_spi_taken(0x0040_0001));
    }

    #[test]
    fn a_reader_that_missed_a_forgotten_tombstone_gets_everything() {
        let mut replica = snapshot(STORE, vec![tunnel(1, "acme", 1)], 1);
        let early = replica.since(None).unwrap().cursor;
        receive(
            &mut replica,
            vec![tombstone(2, Key::Tunnel("acme".parse().unwrap()))],
            2,
        );
        let late = replica.since(Some(early)).unwrap().cursor;
        replica.forget_old_tombstones(Timestamp::from(fixtures::now()).after(2 * TOMBSTONE_LIFE));

        assert!(replica.since(Some(early)).unwrap().whole);
        assert!(!replica.since(Some(late)).unwrap().whole);
    }

    #[test]
    fn knows_the_other_edges() {
        let mut replica = snapshot(STORE, vec![edge(1, 1, "e1"), edge(2, 2, "e2")], 2);
        let second = Slot::new(2).unwrap();
        assert_eq!(replica.senders(), 2);
        assert_eq!(
            replica.forward_address(second),
            Some(fixtures::forward_address(2))
        );
        receive(&mut replica, vec![tombstone(3, Key::Edge(second))], 3);
        assert_eq!(replica.senders(), 1);
        assert_eq!(replica.forward_address(second), None);
    }
}
