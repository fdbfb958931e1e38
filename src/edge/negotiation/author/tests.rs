use std::net::SocketAddr;
use std::time::Instant;

use ike::Secret;
use ike::testkit::{Customer, Initiator, TestFleet};
use proto::{Slot, TrafficSelector, limits};

use super::*;
use crate::fixtures;

fn path() -> ike::Path {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    ike::Path {
        local: address("203.0.113.1:4500"),
        peer: address("198.51.100.7:61234"),
    }
}

fn commit(
    changes: Vec<ike::Change>,
    now: SystemTime,
    replica: &Replica,
) -> Result<proto::Commit, CommitError> {
    let grant = LeaseGrant {
        slot: Slot::new(1).unwrap(),
        incarnation: 9,
        store: 1,
        until: Instant::now(),
    };
    let author = Author {
        fleet_key: &fixtures::fleet_key(),
        grant: &grant,
        sa_lifetime: Duration::from_secs(600),
        now,
    };
    let ike = ike::IkeSpis {
        initiator: 1,
        responder: 2,
    };
    author.commit(
        ike::Commit {
            id: ike::CommitId(1),
            ike,
            changes,
        },
        replica,
    )
}

fn ike_sa(remote_id: ike::Identity) -> ike::IkeSa {
    ike::IkeSa {
        spis: ike::IkeSpis {
            initiator: 1,
            responder: 2,
        },
        tunnel: "acme".into(),
        remote_id,
        path: path(),
        initial_contact: true,
        snapshot: Secret::new(b"a snapshot".to_vec()),
    }
}

fn child_sa() -> ike::ChildSa {
    let net = |net: &str| vec![TrafficSelector::from(&net.parse().unwrap())];
    ike::ChildSa {
        ike: ike::IkeSpis {
            initiator: 1,
            responder: 2,
        },
        tunnel: "acme".into(),
        inbound_spi: 0x0040_0001,
        outbound_spi: 0xc000_0001,
        path: path(),
        udp_encap: true,
        suite: ike::EspSuite::Encrypted(ike::Cipher::Aes128Gcm16),
        inbound_key: Secret::new(vec![1; 20]),
        outbound_key: Secret::new(vec![2; 20]),
        local_ts: net("10.0.0.0/8"),
        remote_ts: net("2001:db8::/64"),
        standby: false,
    }
}

#[test]
fn a_child_sa_reaches_the_fleet_with_its_keys_sealed() {
    let change = ike::Change::PutChild(Box::new(child_sa()));
    let commit = commit(vec![change], fixtures::now(), &Replica::default()).unwrap();
    assert_eq!(commit.incarnation, 9);
    let [Change::PutChildSa(sealed)] = &commit.changes[..] else {
        panic!("{commit:?}");
    };
    let header = sealed.header();
    assert_eq!(
        (header.inbound_spi.get(), header.outbound_spi),
        (0x0040_0001, 0xc000_0001)
    );
    assert_eq!(
        (header.local, header.peer, header.udp_encap),
        (path().local, path().peer, true)
    );
    assert_eq!(header.expires, header.created.after(Duration::from_secs(600)));
    assert_eq!(
        header.remote_ts[0].last().to_string(),
        "2001:db8::ffff:ffff:ffff:ffff"
    );

    let secret = sealing::open_record(&fixtures::fleet_key(), sealed).unwrap();
    let keys = ChildSaKeys::decode(secret.expose(), header.suite).unwrap();
    assert_eq!(
        (keys.inbound.expose(), keys.outbound.expose()),
        (&[1; 20][..], &[2; 20][..])
    );
}

#[test]
fn an_ike_sa_keeps_its_age_and_epoch_when_it_changes() {
    let put = |now, replica: &Replica| {
        let change = ike::Change::PutIke(ike_sa(ike::Identity::Fqdn("acme.example".into())));
        let commit = commit(vec![change], now, replica).unwrap();
        match commit.changes.into_iter().next() {
            Some(Change::PutIkeSa(sealed)) => sealed,
            other => panic!("{other:?}"),
        }
    };
    let first = put(fixtures::now(), &Replica::default());
    assert_eq!((first.header().slot.get(), first.header().epoch), (1, 1));
    assert!(first.header().initial_contact);
    let snapshot = sealing::open_record(&fixtures::fleet_key(), &first).unwrap();
    assert_eq!(snapshot.expose(), b"a snapshot");

    let record = proto::Record {
        revision: 1,
        body: proto::Body::IkeSa(first.clone()),
    };
    let replica = fixtures::snapshot(1, vec![record], 1);
    let later = put(fixtures::now() + Duration::from_secs(5), &replica);
    assert_eq!(
        (later.header().created, later.header().epoch),
        (first.header().created, 1)
    );
}

#[test]
fn what_the_schema_does_not_allow_is_not_sent() {
    let blank = ike::Change::PutIke(ike_sa(ike::Identity::KeyId(vec![])));
    assert!(matches!(
        commit(vec![blank], fixtures::now(), &Replica::default()),
        Err(CommitError::Invalid(_))
    ));
    let no_slot = ike::Change::RemoveChild(5);
    assert!(commit(vec![no_slot], fixtures::now(), &Replica::default()).is_err());
}

/// The distributor would refuse it, and each time that it comes again.
#[test]
fn the_rekey_of_an_ike_sa_with_all_the_child_sas_it_may_have_fits_one_commit() {
    let each_moves = 2 * ike::Limits::default().children_max;
    let old_and_both_new = 3;
    assert!(each_moves + old_and_both_new <= limits::CHANGES);
}

const INBOUND_SPI: u32 = 0x0040_0001;

/// The replica of a fleet that has a child SA in standby, at revision 7.
fn with_child_in_standby() -> Replica {
    let proto::Body::ChildSa(active) = fixtures::child_sa(6, INBOUND_SPI, "acme").body else {
        panic!("no child SA");
    };
    let header = proto::ChildSa {
        precedence: 0,
        ..active.header().clone()
    };
    let keys = sealing::open_record(&fixtures::fleet_key(), &active).unwrap();
    let standby = sealing::seal_record(&fixtures::fleet_key(), header, &keys).unwrap();
    let record = proto::Record {
        revision: 6,
        body: proto::Body::ChildSa(standby),
    };
    fixtures::snapshot(1, vec![record], 7)
}

fn update(update: ChildUpdate) -> ike::Change {
    ike::Change::UpdateChild {
        inbound_spi: INBOUND_SPI,
        update,
    }
}

fn new_path() -> ChildUpdate {
    ChildUpdate::Path {
        path: path(),
        udp_encap: true,
    }
}

/// Of the IKE SA that replaces the child SA's own.
fn replacement() -> ike::IkeSpis {
    ike::IkeSpis {
        initiator: 3,
        responder: 4,
    }
}

fn put_replacement() -> ike::Change {
    let sa = ike_sa(ike::Identity::Fqdn("acme.example".into()));
    ike::Change::PutIke(ike::IkeSa {
        spis: replacement(),
        ..sa
    })
}

fn kinds(commit: &proto::Commit) -> Vec<&'static str> {
    let kind = |change: &Change| match change {
        Change::PutIkeSa(_) => "put IKE SA",
        Change::PutChildSa(_) => "put child SA",
        Change::RemoveIkeSa(_) => "remove IKE SA",
        Change::RemoveChildSa(_) => "remove child SA",
    };
    commit.changes.iter().map(kind).collect()
}

#[test]
fn all_that_a_commit_says_of_a_child_sa_is_in_its_one_record() {
    let replica = with_child_in_standby();
    let old = replica.child_sa(fixtures::spi(INBOUND_SPI)).unwrap();
    let activate = || ChildUpdate::Activate;
    let moved = || ChildUpdate::MoveTo(replacement());
    for updates in [
        [activate(), new_path(), moved()],
        [new_path(), activate(), moved()],
        [moved(), activate(), new_path()],
        [moved(), new_path(), activate()],
        [activate(), moved(), new_path()],
        [new_path(), moved(), activate()],
    ] {
        let changes = [put_replacement()].into_iter().chain(updates.map(update));
        let commit = commit(changes.collect(), fixtures::now(), &replica).unwrap();
        let [Change::PutIkeSa(_), Change::PutChildSa(new)] = &commit.changes[..] else {
            panic!("{updates:?}: {commit:?}");
        };
        let expected = proto::ChildSa {
            precedence: 8,
            local: path().local,
            peer: path().peer,
            udp_encap: true,
            ike: replacement(),
            ..old.header().clone()
        };
        assert_eq!(*new.header(), expected, "{updates:?}");
        let key = fixtures::fleet_key();
        assert_eq!(
            sealing::open_record(&key, new).unwrap(),
            sealing::open_record(&key, old).unwrap()
        );
    }
}

/// The distributor carries a commit out in its order.
#[test]
fn a_child_sa_moves_after_its_new_ike_sa_is_there_and_before_the_old_one_ends() {
    let old = ike::IkeSpis {
        initiator: 1,
        responder: 2,
    };
    let changes = vec![
        update(new_path()),
        put_replacement(),
        update(ChildUpdate::MoveTo(replacement())),
        ike::Change::RemoveIke(old),
    ];
    let moved = commit(changes, fixtures::now(), &with_child_in_standby()).unwrap();
    assert_eq!(kinds(&moved), ["put IKE SA", "put child SA", "remove IKE SA"]);

    let changes = vec![
        put_replacement(),
        update(ChildUpdate::MoveTo(replacement())),
        ike::Change::RemoveIke(old),
        update(new_path()),
    ];
    let moved = commit(changes, fixtures::now(), &with_child_in_standby()).unwrap();
    assert_eq!(kinds(&moved), ["put IKE SA", "put child SA", "remove IKE SA"]);
}

#[test]
fn a_child_sa_that_a_commit_makes_can_be_changed_and_removed_in_it() {
    let put = || {
        ike::Change::PutChild(Box::new(ike::ChildSa {
            standby: true,
            ..child_sa()
        }))
    };
    let remove = || ike::Change::RemoveChild(INBOUND_SPI);
    let none = Replica::default();

    let changed = commit(vec![put(), update(ChildUpdate::Activate)], fixtures::now(), &none).unwrap();
    let [Change::PutChildSa(sealed)] = &changed.changes[..] else {
        panic!("{changed:?}");
    };
    assert!(!sealed.header().is_standby());

    let removed = commit(vec![put(), remove()], fixtures::now(), &none).unwrap();
    assert_eq!(kinds(&removed), ["remove child SA"]);
    let after = commit(
        vec![remove(), update(new_path())],
        fixtures::now(),
        &with_child_in_standby(),
    );
    assert!(matches!(after, Err(CommitError::NoChildSa(spi)) if spi.get() == INBOUND_SPI));
}

/// An operator has revoked one while the customer's NAT has given it another port.
#[test]
fn what_a_commit_says_of_a_deleted_child_sa_is_left_out_and_the_rest_is_not() {
    let deleted = INBOUND_SPI + 1;
    let proto::Body::ChildSa(child) = fixtures::child_sa(6, INBOUND_SPI, "acme").body else {
        panic!("no child SA");
    };
    let records = vec![
        proto::Record {
            revision: 6,
            body: proto::Body::ChildSa(child),
        },
        fixtures::tombstone(7, proto::Key::ChildSa(fixtures::spi(deleted))),
    ];
    let replica = fixtures::snapshot(1, records, 7);
    let change = |inbound_spi, update| ike::Change::UpdateChild { inbound_spi, update };
    let changes = vec![
        put_replacement(),
        change(deleted, ChildUpdate::Activate),
        change(deleted, new_path()),
        change(deleted, ChildUpdate::MoveTo(replacement())),
        update(new_path()),
    ];
    let commit = commit(changes, fixtures::now(), &replica).unwrap();
    let [Change::PutIkeSa(_), Change::PutChildSa(moved)] = &commit.changes[..] else {
        panic!("{commit:?}");
    };
    assert_eq!(
        (moved.header().inbound_spi.get(), moved.header().peer),
        (INBOUND_SPI, path().peer)
    );
}

/// Its record may still be on its way here: what is said of it must come again.
#[test]
fn a_commit_that_changes_a_child_sa_nobody_has_heard_of_is_not_sent() {
    let unheard = commit(vec![update(new_path())], fixtures::now(), &Replica::default());
    assert!(matches!(unheard, Err(CommitError::NoChildSa(spi)) if spi.get() == INBOUND_SPI));
}

/// Takes in what a commit says, as the stream brings it back to every edge.
fn publish(replica: &mut Replica, changes: Vec<ike::Change>) {
    let revision = replica.position().map_or(0, |position| position.revision) + 1;
    let commit = commit(changes, fixtures::now(), replica).unwrap();
    let body = |change| match change {
        Change::PutIkeSa(sealed) => proto::Body::IkeSa(sealed),
        Change::PutChildSa(sealed) => proto::Body::ChildSa(sealed),
        Change::RemoveIkeSa(spi) => fixtures::tombstone(revision, proto::Key::IkeSa(spi)).body,
        Change::RemoveChildSa(spi) => fixtures::tombstone(revision, proto::Key::ChildSa(spi)).body,
    };
    let records = commit.changes.into_iter().map(|change| proto::Record {
        revision,
        body: body(change),
    });
    let delta = proto::Delta {
        records: records.collect(),
        revision: Some(revision),
    };
    assert!(replica.receive(1, delta, fixtures::now().into()));
}

/// The customer's first packet on a rekeyed child SA comes while a commit for its new port is under way, and the port changes
/// once more.
#[test]
fn a_child_sa_that_is_activated_and_moved_at_once_is_both() {
    let mut replica = fixtures::snapshot(1, vec![], 1);
    let customer = Customer::new(1);
    let mut fleet = TestFleet::new(1);
    fleet.nat = Some([192, 0, 2, 99].into());
    let tunnel = ike::Tunnel {
        name: "acme".into(),
        ..customer.tunnel()
    };
    fleet.responder.handle_tunnel(fleet.now, tunnel);
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    let request = initiator.rekey_child(None).unwrap();
    let response = fleet.deliver(&request).remove(0);
    // Its DELETE of the old one stays on the way.
    let _ = initiator.handle_datagram(&response.payload);
    let spi = initiator.child().unwrap().outbound_spi;
    let commits = std::mem::take(&mut fleet.commits);
    commits
        .into_iter()
        .for_each(|commit| publish(&mut replica, commit.changes));
    let child = |replica: &Replica| replica.child_sa(fixtures::spi(spi)).unwrap().header().clone();
    assert!(child(&replica).is_standby());

    fleet.prompt = false;
    let mut peer = child(&replica).peer;
    for last in [100, 101] {
        peer.set_ip([192, 0, 2, last].into());
        fleet.nat = Some(peer.ip());
        fleet.responder.handle_child_moved(fleet.now, spi, peer);
        for probe in fleet.drain() {
            if let Some(answer) = initiator.handle_datagram(&probe.payload) {
                fleet.deliver(&answer);
            }
        }
        fleet.responder.handle_child_used(fleet.now, spi);
        fleet.wait(Duration::from_secs(2));
    }
    let first = fleet.commits.pop().unwrap();
    let id = first.id;
    publish(&mut replica, first.changes);
    fleet.finish(id, ike::CommitOutcome::Done);
    let both = fleet.commits.pop().unwrap();
    let is_about_it = |change: &&ike::Change| matches!(change, ike::Change::UpdateChild { inbound_spi, .. } if *inbound_spi == spi);
    assert_eq!(both.changes.iter().filter(is_about_it).count(), 2, "{both:?}");
    publish(&mut replica, both.changes);
    assert_eq!(
        (child(&replica).is_standby(), child(&replica).peer),
        (false, peer)
    );
}
