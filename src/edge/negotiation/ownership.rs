//! Which of the fleet's records concern the responder of this edge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use distributor_client::lease::LeaseGrant;
use distributor_client::replica::Update;
use ike::{Change, Commit, Responder};
use proto::{Body, IkeSa, Key, Name, Record, Sealed};
use sealing::FleetKey;
use tracing::warn;

use super::tunnels::Tunnels;
use crate::ingress::dispatch::Place;

/// By what a responder reads.
pub(crate) struct Reader<'a> {
    pub(crate) grant: &'a LeaseGrant,
    /// Which of the edge's responders it is.
    pub(crate) place: &'a Place,
    /// Those of the edge.
    pub(crate) tunnels: &'a Tunnels,
    pub(crate) fleet_key: &'a FleetKey,
}

/// What a responder was told of IKE SAs, so that it can be told when they are gone.
#[derive(Default)]
pub(crate) struct Ownership {
    /// The IKE SAs that run here or did, until their tombstone comes; by responder SPI. A record of one that is missing here
    /// is what a previous process of this edge left.
    ike_sas: BTreeMap<u64, ike::IkeSpis>,
    /// The tunnels that the responder has been told to look at, and that were not removed since.
    tunnels: BTreeSet<Name>,
}

impl Reader<'_> {
    /// Whether it is to run an IKE SA of the fleet's.
    fn has(&self, ike_sa: &IkeSa) -> bool {
        ike_sa.slot == self.grant.slot && self.place.has(ike_sa.spis.responder)
    }
}

impl Ownership {
    /// Tells the responder what is new. Tunnels first, and children after their IKE SA, whose end includes theirs.
    pub(crate) fn read(
        &mut self,
        update: &Update,
        reader: &Reader<'_>,
        responder: &mut Responder,
        now: Instant,
    ) {
        let named = reader.tunnels.read(update, reader.fleet_key, responder.shared());
        for name in &self.changed_tunnels(update, named) {
            responder.handle_tunnel_changed(now, name.as_str());
        }
        if update.whole {
            self.forget_all_but(&update.records, responder, now);
        }
        for record in &update.records {
            match &record.body {
                Body::IkeSa(sealed) if reader.has(sealed.header()) => {
                    self.restore(sealed, reader.fleet_key, responder, now);
                }
                Body::Tombstone(tombstone) => self.remove(&tombstone.key, responder, now),
                Body::Tunnel(_) | Body::IkeSa(_) | Body::ChildSa(_) | Body::Edge(_) => {}
            }
        }
        for record in &update.records {
            if let Body::Tombstone(tombstone) = &record.body
                && let Key::ChildSa(spi) = tombstone.key
            {
                responder.handle_child_removed(now, spi.get());
            }
        }
    }

    /// Those that the responder has to look at: those `named` in the update, and if that is all there is, those that it knows
    /// besides. Each responder has its own, since only the first that reads of a removal finds the tunnel still there.
    fn changed_tunnels(&mut self, update: &Update, named: Vec<Name>) -> BTreeSet<Name> {
        let mut changed: BTreeSet<Name> = named.into_iter().collect();
        if update.whole {
            changed.append(&mut self.tunnels);
        }
        for record in &update.records {
            match &record.body {
                Body::Tunnel(sealed) => {
                    self.tunnels.insert(sealed.header().name.clone());
                }
                Body::Tombstone(tombstone) => {
                    if let Key::Tunnel(name) = &tombstone.key {
                        self.tunnels.remove(name);
                    }
                }
                Body::IkeSa(_) | Body::ChildSa(_) | Body::Edge(_) => {}
            }
        }
        changed
    }

    /// The responder has asked for this commit.
    pub(crate) fn note_commit(&mut self, commit: &Commit) {
        for change in &commit.changes {
            if let Change::PutIke(sa) = change {
                self.ike_sas.insert(sa.spis.responder, sa.spis);
            }
        }
    }

    /// The fleet has not taken the IKE SA, so no tombstone will come for it.
    pub(crate) fn note_not_created(&mut self, ike_sa: ike::IkeSpis) {
        self.ike_sas.remove(&ike_sa.responder);
    }

    fn restore(
        &mut self,
        sealed: &Sealed<IkeSa>,
        fleet_key: &FleetKey,
        responder: &mut Responder,
        now: Instant,
    ) {
        let spis = sealed.header().spis;
        if self.ike_sas.insert(spis.responder, spis).is_some() {
            return;
        }
        let restored = sealing::open_record(fleet_key, sealed)
            .map_err(|error| error.to_string())
            .and_then(|snapshot| {
                responder
                    .handle_restore(now, &snapshot)
                    .map_err(|error| error.to_string())
            });
        if let Err(reason) = restored {
            let ike_sa = format_args!("{:016x}", spis.responder);
            warn!(%ike_sa, tunnel = %sealed.header().tunnel, reason, "cannot restore an IKE SA from its record; its peer will set up another when it notices");
        }
    }

    fn remove(&mut self, key: &Key, responder: &mut Responder, now: Instant) {
        match key {
            Key::IkeSa(spi) => {
                if let Some(spis) = self.ike_sas.remove(spi) {
                    responder.handle_ike_removed(now, spis);
                }
            }
            Key::Tunnel(_) | Key::ChildSa(_) | Key::Edge(_) => {}
        }
    }

    /// The records are all there is.
    fn forget_all_but(&mut self, records: &[Arc<Record>], responder: &mut Responder, now: Instant) {
        let kept: BTreeSet<Key> = records.iter().map(|record| record.key()).collect();
        let ike_sas = self.ike_sas.keys().copied().map(Key::IkeSa);
        let gone: Vec<Key> = ike_sas.filter(|key| !kept.contains(key)).collect();
        for key in gone {
            self.remove(&key, responder, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ike::testkit::{Customer, Initiator, TestFleet};
    use ike::{CommitOutcome, What};
    use proto::{IkeSpis, Resume, Slot};

    use super::*;
    use crate::fixtures::{self, tombstone};
    use crate::ingress::dispatch::Dispatcher;
    use distributor_client::replica::Cursor;

    /// An edge whose responder hears what the fleet knows.
    struct Edge {
        fleet: TestFleet,
        ownership: Ownership,
        tunnels: Tunnels,
        /// How often it has read.
        reads: u16,
    }

    /// That of somebody who has read so many records.
    fn cursor(records: u16) -> Cursor {
        let tunnels =
            (1..=records).map(|number| fixtures::tunnel(number.into(), &format!("t{number}"), number));
        let replica = fixtures::snapshot(1, tunnels.collect(), records.into());
        replica.since(None).unwrap().cursor
    }

    fn place() -> Place {
        let router = ike::Router::new(&TestFleet::spi_key());
        let dispatcher = Dispatcher::new(1, router, Default::default());
        dispatcher.places().next().unwrap()
    }

    impl Edge {
        fn new() -> Self {
            Self {
                fleet: TestFleet::new(1),
                ownership: Ownership::default(),
                tunnels: Tunnels::default(),
                reads: 0,
            }
        }

        fn read(&mut self, whole: bool, records: Vec<Record>) {
            self.reads += 1;
            let update = Update {
                whole,
                records: records.into_iter().map(Arc::new).collect(),
                senders: 1,
                cursor: cursor(self.reads),
                position: Resume {
                    store: 1,
                    revision: 1,
                },
            };
            let until = self.fleet.now + Duration::from_secs(15);
            let grant = LeaseGrant {
                slot: Slot::new(1).unwrap(),
                incarnation: 1,
                store: 1,
                until,
            };
            let (responder, now) = (&mut self.fleet.responder, self.fleet.now);
            let reader = Reader {
                grant: &grant,
                place: &place(),
                tunnels: &self.tunnels,
                fleet_key: &fixtures::fleet_key(),
            };
            self.ownership.read(&update, &reader, responder, now);
            self.fleet.events.clear();
        }

        /// What the responder says of it.
        fn hears(&mut self, records: Vec<Record>) -> Vec<String> {
            self.read(false, records);
            self.fleet.drain();
            self.fleet
                .events
                .iter()
                .map(|event| event.what.to_string())
                .collect()
        }
    }

    /// The record of an IKE SA that some process of the edge in slot 1 established.
    fn established_elsewhere() -> Record {
        let customer = Customer::new(1);
        let mut fleet = TestFleet::new(1);
        fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
        fleet.connect(&mut Initiator::new(customer, 1));
        record(&fleet, 1)
    }

    fn record(fleet: &TestFleet, slot: u16) -> Record {
        let mut changes = fleet.commits.iter().flat_map(|commit| &commit.changes);
        let sa = changes.find_map(|change| match change {
            Change::PutIke(sa) => Some(sa),
            Change::PutChild(_)
            | Change::UpdateChild { .. }
            | Change::RemoveChild(_)
            | Change::RemoveIke(_) => None,
        });
        let sa = sa.unwrap();
        let header = IkeSa {
            spis: IkeSpis {
                initiator: sa.spis.initiator,
                responder: sa.spis.responder,
            },
            slot: Slot::new(slot).unwrap(),
            epoch: 1,
            tunnel: "acme".parse().unwrap(),
            remote_id: "cpe1.example".parse().unwrap(),
            local: sa.path.local,
            peer: sa.path.peer,
            initial_contact: false,
            created: fixtures::now().into(),
        };
        let sealed = sealing::seal_record(&fixtures::fleet_key(), header, &sa.snapshot).unwrap();
        Record {
            revision: 1,
            body: Body::IkeSa(sealed),
        }
    }

    #[test]
    fn what_a_previous_process_left_is_restored_once_also_when_it_comes_late() {
        let left = established_elsewhere();
        let mut edge = Edge::new();
        edge.read(true, vec![]);
        assert_eq!(edge.hears(vec![left.clone()]), [What::Restored.to_string()]);
        assert!(edge.hears(vec![left]).is_empty());
    }

    #[test]
    fn an_ike_sa_of_another_slot_is_left_alone() {
        let customer = Customer::new(1);
        let mut fleet = TestFleet::new(2);
        fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
        fleet.connect(&mut Initiator::new(customer, 1));
        assert!(Edge::new().hears(vec![record(&fleet, 2)]).is_empty());
    }

    #[test]
    fn a_tombstone_ends_it_and_the_peer_is_told() {
        let left = established_elsewhere();
        let mut edge = Edge::new();
        edge.read(true, vec![left.clone()]);
        edge.read(false, vec![tombstone(2, left.key())]);
        assert_eq!(edge.fleet.drain().len(), 1, "a DELETE");
        edge.read(false, vec![tombstone(3, left.key())]);
        assert!(edge.fleet.drain().is_empty());
    }

    #[test]
    fn what_the_whole_state_lacks_is_gone() {
        let left = established_elsewhere();
        let mut edge = Edge::new();
        edge.read(true, vec![left]);
        edge.fleet.drain();
        edge.read(true, vec![]);
        assert_eq!(edge.fleet.drain().len(), 1, "a DELETE");
    }

    #[test]
    fn what_the_responder_ended_itself_does_not_come_back_by_its_own_record() {
        let customer = Customer::new(1);
        let mut edge = Edge::new();
        edge.fleet
            .responder
            .handle_tunnel(edge.fleet.now, customer.tunnel());
        let mut initiator = Initiator::new(customer, 1);
        edge.fleet.prompt = false;
        edge.fleet.connect(&mut initiator);
        let commit = edge.fleet.commits.pop().unwrap();
        edge.ownership.note_commit(&commit);
        let id = commit.id;
        edge.fleet.commits.push(commit);
        for answer in edge.fleet.finish(id, CommitOutcome::Done) {
            initiator.handle_datagram(&answer.payload);
        }
        let delete = initiator.delete_ike();
        edge.fleet.prompt = true;
        edge.fleet.converse(&mut initiator, delete);

        let own = record(&edge.fleet, 1);
        assert!(edge.hears(vec![own]).is_empty());
    }

    /// The responders of an edge have its tunnels in common, so the first that reads of a removal makes it.
    #[test]
    fn every_responder_hears_which_tunnels_the_whole_state_lacks() {
        let (tunnels, shared) = (Tunnels::default(), ike::Shared::default());
        let mut readers = [Ownership::default(), Ownership::default()];
        let mut changed = |number: u16, records: Vec<Record>| {
            let update = Update {
                whole: true,
                records: records.into_iter().map(Arc::new).collect(),
                senders: 1,
                cursor: cursor(number),
                position: Resume {
                    store: 1,
                    revision: 1,
                },
            };
            readers.each_mut().map(|reader| {
                let named = tunnels.read(&update, &fixtures::fleet_key(), &shared);
                let changed = reader.changed_tunnels(&update, named);
                changed.iter().map(|name| name.to_string()).collect::<Vec<_>>()
            })
        };
        let both = vec![fixtures::tunnel(1, "acme", 1), fixtures::tunnel(1, "beta", 2)];
        assert_eq!(changed(1, both), [["acme", "beta"]; 2]);
        let one = || vec![fixtures::tunnel(1, "beta", 2)];
        assert_eq!(changed(2, one()), [["acme", "beta"]; 2]);
        assert_eq!(changed(3, one()), [["beta"]; 2]);
    }

    #[test]
    fn a_tunnel_whose_key_does_not_open_lets_nobody_in() {
        let mut edge = Edge::new();
        edge.read(true, vec![fixtures::tunnel(1, "acme", 1)]);
        let customer = Customer {
            id: ike::Identity::Fqdn("acme.example".into()),
            psk: ike::Secret::new(b"a pre-shared key".to_vec()),
            ..Customer::new(1)
        };
        let mut first = Initiator::new(customer.clone(), 1);
        edge.fleet.connect(&mut first);
        assert_eq!(first.status(), ike::testkit::Status::Up);

        edge.read(false, vec![fixtures::tampered_tunnel(2, "acme", 1)]);
        let mut second = Initiator::new(customer, 2);
        edge.fleet.connect(&mut second);
        assert!(matches!(second.status(), ike::testkit::Status::Refused(_)));
    }
}
