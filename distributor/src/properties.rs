//! Whatever edges, operators and time do, in whatever order: the rules hold, and every subscriber ends with the same
//! state.

mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;
use proto::v1::sync_response::Message;
use proto::{Body, Change, Commit, Delta, IkeSa, InboundSpi, Key, Name, Record, Resume, Slot, Timestamp};
use tokio::sync::watch;

use crate::config::CustomerLimits;
use crate::grpc::feed::Feed;
use crate::log::state::{Counters, State};
use crate::log::transaction::Transaction;
use crate::rules::operator::{Replaces, Target};
use crate::rules::{self, membership};
use proto::testkit::{child_sa, ike_sa, sealed, spi, tunnel};

use steps::{Step, Wish, step};

const EDGES: u16 = 3;
const TUNNELS: u16 = 2;
const SAS: u32 = 12;
/// Low enough to be met.
const MOST: CustomerLimits = CustomerLimits {
    ike_sas: 3,
    child_sas: 2,
};
const TOMBSTONES: Duration = Duration::from_secs(1000);

/// The distributor without its threads: states, and what the store has of them.
struct World {
    published: watch::Sender<Arc<State>>,
    stored: BTreeMap<Key, Record>,
    now: Timestamp,
    started: Timestamp,
    /// Every SPI that was ever deleted, with the time.
    deleted: BTreeMap<Key, Timestamp>,
    subscribers: Vec<Subscriber>,
}

struct Subscriber {
    feed: Feed,
    records: BTreeMap<Key, Record>,
    revision: u64,
}

impl World {
    fn new() -> Self {
        let counters = Counters {
            store: 5,
            head: 0,
            purged: 0,
            incarnation: 0,
            highest_slot: 0,
        };
        let started = Timestamp::from(std::time::SystemTime::now());
        let (published, _) = watch::channel(Arc::new(State::new(counters)));
        let (stored, deleted, subscribers) = Default::default();
        let mut world = Self {
            published,
            stored,
            now: started,
            started,
            deleted,
            subscribers,
        };
        world.take(Step::Join(1));
        for _ in 0..3 {
            let feed = Feed::new(world.published.subscribe(), None);
            world.subscribers.push(Subscriber {
                feed,
                records: BTreeMap::new(),
                revision: 0,
            });
        }
        world
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.published.borrow())
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Join(edge) => self.change(|transaction| {
                membership::join(transaction, &edge_name(edge), ([10, 0, 0, 1], 4501).into(), None).is_ok()
            }),
            Step::PutTunnel(id) => {
                self.change(|transaction| {
                    rules::operator::put(transaction, &sealed(tunnel(&format!("t{id}"), id)), Replaces::Any)
                        .is_ok()
                });
            }
            Step::RemoveTunnel(id) => {
                self.change(|transaction| rules::operator::remove(transaction, &tunnel_name(id)).is_ok())
            }
            Step::Commit { edge, changes } => self.commit(edge, changes),
            Step::Revoke(kind, number) => {
                let target = match kind {
                    0 => Target::Tunnel(tunnel_name(1)),
                    1 => Target::IkeSa(number.into()),
                    _ => Target::ChildSa(spi(slot(1), number)),
                };
                self.change(|transaction| rules::operator::revoke(transaction, &target).is_ok());
            }
            Step::Sweep { seconds, silent } => {
                self.now = self.now.after(Duration::from_secs(seconds));
                let silent: Vec<Slot> = silent.map(slot).into_iter().collect();
                self.change(|transaction| {
                    membership::sweep(transaction, &silent, TOMBSTONES);
                    true
                });
            }
            Step::Restart => self.restart(),
            Step::Listen(subscriber) => self.subscribers[subscriber].listen(),
            Step::Reconnect { subscriber, forgets } => {
                let states = self.published.subscribe();
                self.subscribers[subscriber].reconnect(states, forgets);
            }
        }
    }

    fn commit(&mut self, edge: u16, wishes: Vec<Wish>) {
        let Some(known) = self.state().edge(&edge_name(edge)).cloned() else {
            return;
        };
        let changes = wishes
            .into_iter()
            .map(|wish| self.grant(known.slot, wish))
            .collect();
        let commit = Commit {
            changes,
            deadline: None,
            incarnation: known.incarnation,
        };
        self.change(|transaction| rules::edge::commit(transaction, &known.name, &commit, MOST).is_ok());
    }

    fn grant(&self, own: Slot, wish: Wish) -> Change {
        match wish {
            Wish::PutIke {
                slot: owner,
                number,
                tunnel,
                initial_contact,
            } => {
                let tunnel = tunnel_name(tunnel);
                let created = self.started;
                Change::PutIkeSa(sealed(IkeSa {
                    tunnel,
                    initial_contact,
                    created,
                    ..ike_sa(owner.map_or(own, slot), number.into())
                }))
            }
            Wish::PutChild {
                slot: owner,
                number,
                ike,
            } => {
                let state = self.state();
                let ike = state.ike_sa(ike.into()).map(|sealed| sealed.header().clone());
                let mut child = child_sa(&ike.unwrap_or_else(|| ike_sa(owner.map_or(own, slot), 1)), number);
                child.inbound_spi = spi(owner.map_or(own, slot), number);
                Change::PutChildSa(sealed(child))
            }
            Wish::RemoveIke(number) => Change::RemoveIkeSa(number.into()),
            Wish::RemoveChild(owner, number) => Change::RemoveChildSa(spi(owner.map_or(own, slot), number)),
        }
    }

    /// What the writer does with one change.
    fn change(&mut self, rule: impl FnOnce(&mut Transaction) -> bool) {
        let before = self.state();
        let mut transaction = Transaction::new(&before, self.now);
        if !rule(&mut transaction) {
            return;
        }
        let (state, outcome, writes) = transaction.finish();
        assert!(outcome.revision <= state.head());
        assert!(
            (before.head()..=before.head() + 1).contains(&state.head()),
            "one change, one revision"
        );
        for entry in writes.put {
            let (key, record) = (entry.record.key(), entry.record.clone());
            assert_eq!(Record::decode(entry.encoded.clone()), Ok(record.clone()));
            self.check_not_reused(&key, &record);
            self.stored.insert(key, record);
        }
        for key in writes.delete {
            self.stored.remove(&key);
        }
        self.published.send_replace(Arc::new(state));
    }

    fn check_not_reused(&mut self, key: &Key, record: &Record) {
        match record.body {
            Body::Tombstone(_) => {
                self.deleted.insert(key.clone(), self.now);
            }
            Body::ChildSa(_) | Body::IkeSa(_) => {
                let deleted = self.deleted.get(key);
                assert!(
                    deleted.is_none_or(|at| at.after(TOMBSTONES) < self.now),
                    "{key} came back too early"
                );
            }
            Body::Tunnel(_) | Body::Edge(_) => {}
        }
    }

    fn restart(&mut self) {
        let counters = self.state().counters();
        let records = self
            .stored
            .values()
            .map(|record| (record.clone(), record.encode()))
            .collect();
        self.published
            .send_replace(Arc::new(State::restored(counters, records)));
    }

    fn check(&self) {
        let state = self.state();
        let everything: BTreeMap<Key, Record> = state
            .after(None)
            .map(|(_, encoded)| Record::decode(encoded.clone()).unwrap())
            .map(|record| (record.key(), record))
            .collect();
        assert_eq!(everything, self.stored, "memory and store agree");
        assert!(everything.values().all(|record| record.revision <= state.head()));
        let (mut children, mut ike_sas, mut tombstones) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for record in everything.values() {
            match &record.body {
                Body::ChildSa(sealed) => {
                    let child = sealed.header();
                    let ike = state
                        .ike_sa(child.ike.responder)
                        .expect("a child's IKE SA lives")
                        .header();
                    assert_eq!((ike.spis, &ike.tunnel), (child.ike, &child.tunnel));
                    assert!(state.children_of(child.ike.responder).count() <= MOST.child_sas);
                    children.insert((child.ike.responder, child.inbound_spi));
                }
                Body::IkeSa(sealed) => {
                    let ike = sealed.header();
                    assert!(state.tunnel(&ike.tunnel).is_some(), "an IKE SA's tunnel lives");
                    assert!(state.edge_in(ike.slot).is_some(), "an IKE SA's owner is known");
                    assert!(state.ike_sas_of(&ike.tunnel).count() <= MOST.ike_sas);
                    ike_sas.insert((ike.tunnel.clone(), ike.spis.responder));
                }
                Body::Edge(edge) => assert_eq!(state.edge(&edge.name), Some(edge)),
                Body::Tombstone(tombstone) => {
                    tombstones.insert(&tombstone.key);
                }
                Body::Tunnel(_) => {}
            }
        }
        let indexed_children: BTreeSet<(u64, InboundSpi)> = state
            .ike_sas()
            .flat_map(|ike| {
                state
                    .children_of(ike)
                    .map(move |child| (ike, child))
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(indexed_children, children);
        let end_of_time = self.now.after(Duration::MAX);
        let expiring: BTreeSet<InboundSpi> = state.expired_children(end_of_time).collect();
        assert_eq!(expiring, children.iter().map(|(_, spi)| *spi).collect());
        assert_eq!(
            state.tombstones_before(end_of_time).collect::<BTreeSet<_>>(),
            tombstones
        );
        let names: Vec<Name> = (1..=TUNNELS).map(tunnel_name).collect();
        let indexed: BTreeSet<(Name, u64)> = names
            .iter()
            .flat_map(|name| {
                state
                    .ike_sas_of(name)
                    .map(move |spi| (name.clone(), spi))
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(indexed, ike_sas);
    }
}

impl Subscriber {
    /// Takes messages until the feed has nothing more to say.
    fn listen(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let next = std::pin::pin!(self.feed.next());
            let Poll::Ready(message) = next.poll(&mut context) else {
                return;
            };
            match message {
                Some(Message::SnapshotBegin(_)) => {
                    self.records.clear();
                    self.revision = 0;
                }
                Some(Message::Delta(delta)) => {
                    let delta = Delta::try_from(delta).unwrap();
                    for record in delta.records {
                        assert!(record.revision > self.revision, "only what is new");
                        self.records.insert(record.key(), record);
                    }
                    let revision = delta.revision.expect("these states fit one delta");
                    assert!(revision >= self.revision, "revisions never go back");
                    self.revision = revision;
                }
                other => panic!("a feed says no {other:?}"),
            }
        }
    }

    fn reconnect(&mut self, states: watch::Receiver<Arc<State>>, forgets: bool) {
        if forgets {
            self.records.clear();
            self.revision = 0;
        }
        let resume = (self.revision != 0).then_some(Resume {
            store: 5,
            revision: self.revision,
        });
        self.feed = Feed::new(states, resume);
    }
}

fn slot(number: u16) -> Slot {
    Slot::new(number).unwrap()
}

fn edge_name(number: u16) -> Name {
    format!("e{number}").parse().unwrap()
}

fn tunnel_name(id: u16) -> Name {
    format!("t{id}").parse().unwrap()
}

/// Tombstones that have been purged may still be known to who was there all the time.
fn living(records: &BTreeMap<Key, Record>) -> BTreeMap<&Key, &Record> {
    records
        .iter()
        .filter(|(_, record)| !matches!(record.body, Body::Tombstone(_)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_rules_and_tells_everybody_the_same(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            world.check();
        }
        for subscriber in &mut world.subscribers {
            subscriber.listen();
        }
        for subscriber in &world.subscribers {
            prop_assert_eq!(living(&subscriber.records), living(&world.stored));
            prop_assert_eq!(subscriber.revision, world.state().head());
        }
    }
}
