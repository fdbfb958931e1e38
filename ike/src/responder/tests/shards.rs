//! Several responders of one edge: which of them has what, and what they have in common.

use std::collections::HashSet;

use super::*;
use crate::testkit::TestHost;
use crate::{Config, Dropped, IkePolicy, Path, Route, Router, Shared, Slot};

const SLOT: u16 = 5;

/// An edge with as many responders as it has threads.
struct Edge {
    router: Router,
    shared: Shared,
    responders: Vec<TestFleet>,
}

impl Edge {
    fn new(threads: usize, limits: Limits) -> Self {
        let shared = Shared::default();
        Self {
            router: Router::new(&TestFleet::spi_key()),
            responders: Self::sharing(&shared, threads, limits),
            shared,
        }
    }

    fn sharing(shared: &Shared, threads: usize, limits: Limits) -> Vec<TestFleet> {
        let config = Config {
            slot: Slot::new(SLOT).unwrap(),
            incarnation: 1,
            spi_key: TestFleet::spi_key(),
            quick_crash_detection: true,
            ike: IkePolicy::default(),
            limits,
        };
        let responder = |thread: usize| {
            let host = TestHost::new(1 + thread as u64);
            TestFleet::sharing(shared.clone(), config.clone(), host)
        };
        (0..threads).map(responder).collect()
    }

    /// One that knows the customer's tunnel.
    fn knowing(threads: usize, customer: &Customer) -> Self {
        let edge = Self::new(threads, patient());
        edge.shared.put_tunnel(customer.tunnel());
        edge
    }

    /// The responder that the datagram is for.
    fn route(&mut self, sent: &Transmit) -> (usize, &mut TestFleet) {
        let path = Path {
            local: sent.path.peer,
            peer: sent.path.local,
        };
        let (route, shard) = self.router.route(path, &sent.payload);
        assert_ne!(route, Route::Discard);
        let thread = shard.of(self.responders.len());
        (thread, &mut self.responders[thread])
    }

    fn deliver(&mut self, sent: &Transmit) -> Vec<Transmit> {
        self.route(sent).1.deliver(sent)
    }

    fn converse(&mut self, initiator: &mut Initiator, mut sent: Option<Transmit>) {
        while let Some(datagram) = sent.take() {
            for answer in self.deliver(&datagram) {
                sent = initiator.handle_datagram(&answer.payload).or(sent);
            }
        }
    }

    fn half_open(&self) -> usize {
        let each = self.responders.iter().map(|it| it.responder.half_open.len());
        each.sum()
    }

    fn established(&self) -> Vec<usize> {
        let each = self.responders.iter().map(|it| it.responder.established.len());
        each.collect()
    }

    /// The newest record of each IKE SA.
    fn records(&self) -> Vec<&IkeSa> {
        let commits = self.responders.iter().flat_map(|it| &it.commits);
        let records = commits
            .flat_map(|commit| &commit.changes)
            .filter_map(|change| match change {
                Change::PutIke(sa) => Some(sa),
                _ => None,
            });
        records.collect()
    }

    fn connected(&mut self, customer: &Customer, count: u64) -> Vec<Initiator> {
        let customers = (1..=count).map(|seed| {
            let mut initiator = Initiator::new(customer.clone(), seed);
            let init = initiator.start();
            self.converse(&mut initiator, Some(init));
            assert_eq!(initiator.status(), Status::Up);
            initiator
        });
        customers.collect()
    }
}

#[test]
fn customers_are_spread_and_each_finds_its_responder_again() {
    let customer = Customer::new(1);
    let mut edge = Edge::knowing(3, &customer);
    let mut customers = edge.connected(&customer, 30);
    assert!(
        edge.established().iter().all(|count| *count > 3),
        "{:?}",
        edge.established()
    );
    for initiator in &mut customers {
        let probe = initiator.probe().unwrap();
        assert_eq!(edge.deliver(&probe).len(), 1);
        let delete = initiator.delete_ike();
        edge.converse(initiator, delete);
    }
    let removed = |fleet: &TestFleet| {
        let last = fleet.commits.iter().flat_map(|commit| &commit.changes);
        last.filter(|change| matches!(change, Change::RemoveIke(_)))
            .count()
    };
    assert_eq!(edge.responders.iter().map(removed).sum::<usize>(), 30);
}

#[test]
fn a_repeated_request_for_an_ike_sa_gets_the_same_answer() {
    let customer = Customer::new(1);
    let mut edge = Edge::knowing(4, &customer);
    for seed in 1..=16 {
        let init = Initiator::new(customer.clone(), seed).start();
        let answer = edge.deliver(&init);
        assert_eq!(edge.deliver(&init), answer);
    }
    assert_eq!(edge.half_open(), 16);
}

#[test]
fn what_takes_the_place_of_an_ike_sa_is_where_it_was() {
    let customer = Customer::new(1);
    let mut edge = Edge::knowing(4, &customer);
    for initiator in &mut edge.connected(&customer, 8) {
        let old = initiator.spis().unwrap();
        let rekey = initiator.rekey_ike();
        edge.converse(initiator, rekey);
        let new = initiator.spis().unwrap();
        assert_ne!(old, new);
        assert_eq!(
            edge.router.shard_of(old.responder),
            edge.router.shard_of(new.responder)
        );
        let rekey = initiator.rekey_child(None);
        edge.converse(initiator, rekey);
        assert!(initiator.child().is_some());
    }
    for record in edge.records() {
        let thread = edge.router.shard_of(record.spis.responder).of(4);
        let is_here = edge.responders[thread]
            .commits
            .iter()
            .any(|commit| commit.ike == record.spis);
        assert!(is_here, "{:?}", record.spis);
    }
}

/// Each responder draws the same random numbers as the others.
#[test]
fn no_inbound_esp_spi_comes_twice() {
    let customer = Customer::new(1);
    let mut edge = Edge::knowing(1, &customer);
    for _ in 1..8 {
        edge.responders.extend(Edge::sharing(&edge.shared, 1, patient()));
    }
    edge.connected(&customer, 16);
    assert!(edge.established().iter().filter(|count| **count > 0).count() > 3);
    let changes = edge.responders.iter().flat_map(|it| &it.commits);
    let issued = changes
        .flat_map(|commit| &commit.changes)
        .filter_map(|change| match change {
            Change::PutChild(child) => Some(child.inbound_spi),
            _ => None,
        });
    let issued: Vec<u32> = issued.collect();
    let distinct: HashSet<u32> = issued.iter().copied().collect();
    assert_eq!((issued.len(), distinct.len()), (16, 16), "{issued:08x?}");
}

/// As an edge does that starts again after its operator has given it more processors, or fewer.
#[test]
fn another_number_of_threads_restores_the_same_ike_sas() {
    let customer = Customer::new(1);
    let mut before = Edge::knowing(3, &customer);
    let customers = before.connected(&customer, 12);
    for threads in [1, 2, 5] {
        let mut after = Edge::knowing(threads, &customer);
        for record in before.records() {
            let thread = before.router.shard_of(record.spis.responder).of(threads);
            let fleet = &mut after.responders[thread];
            fleet
                .responder
                .handle_restore(fleet.now, &record.snapshot)
                .unwrap();
        }
        for initiator in &customers {
            let auth = initiator.retransmit();
            assert_eq!(after.deliver(&auth), before.deliver(&auth), "{threads} threads");
        }
    }
}

#[test]
fn limits_are_those_of_the_edge() {
    let limits = Limits {
        cookie_threshold: 10,
        ..patient()
    };
    let customer = Customer::new(1);
    let mut edge = Edge::new(4, limits);
    edge.shared.put_tunnel(customer.tunnel());
    for seed in 0..100 {
        edge.deliver(&Initiator::new(customer.clone(), seed).start());
    }
    assert_eq!(edge.half_open(), 10);

    // Another lease brings other responders, which begin with nothing half-open.
    edge.responders = Edge::sharing(&edge.shared, 4, limits);
    for seed in 0..100 {
        edge.deliver(&Initiator::new(customer.clone(), seed).start());
    }
    assert_eq!(edge.half_open(), 10);
}

/// A source that brings cookies has one share, wherever its requests go.
#[test]
fn a_source_has_one_share_at_all_responders() {
    let limits = Limits {
        cookie_threshold: 0,
        half_open_per_source: 7,
        ..patient()
    };
    let customer = Customer::new(1);
    let mut edge = Edge::new(4, limits);
    edge.shared.put_tunnel(customer.tunnel());
    for seed in 0..50 {
        let mut initiator = Initiator::new(customer.clone(), seed);
        let init = initiator.start();
        let cookie = edge.deliver(&init).remove(0);
        let again = initiator.handle_datagram(&cookie.payload).unwrap();
        edge.deliver(&again);
    }
    assert_eq!(edge.half_open(), 7);
    let events = edge.responders.iter().flat_map(|it| &it.events);
    let refused = events.filter(|event| event.what == What::Dropped(Dropped::TooManyFromSource));
    assert_eq!(refused.count(), 43);
}

#[test]
fn errors_in_a_second_are_counted_together() {
    let customer = Customer::new(1);
    let mut edge = Edge::new(4, patient());
    let mut errors = 0;
    for seed in 0..400 {
        let mut init = Initiator::new(customer.clone(), seed).start();
        // Of a later version (RFC 7296 section 2.5).
        init.payload[17] = 0x30;
        // Answers of this kind go by the source alone.
        init.path.local = ([192, 0, 2, (seed % 200) as u8], 500).into();
        errors += edge.deliver(&init).len();
    }
    assert_eq!(errors, 200);
}

/// A tunnel is put once, and every responder acts by it.
#[test]
fn a_redirect_reaches_the_customers_of_every_responder() {
    let customer = Customer {
        follows_redirects: true,
        ..Customer::new(1)
    };
    let mut edge = Edge::knowing(3, &customer);
    edge.connected(&customer, 12);
    let to = crate::Gateway::Name("other.example".into());
    edge.shared.put_tunnel(crate::Tunnel {
        redirect: Some(to),
        ..customer.tunnel()
    });
    let name = customer.tunnel().name;
    let told = edge.responders.iter_mut().map(|fleet| {
        fleet.responder.handle_tunnel_changed(fleet.now, &name);
        fleet.drain().len()
    });
    assert_eq!(told.sum::<usize>(), 12);
}
