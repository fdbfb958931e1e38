//! The kernel itself ends an SA, and we only move the end.

use std::time::{Duration, SystemTime};

use xfrm::{Change, Child, Event, Events, Notice, Report, Subject, Tunnel};

use crate::world::{
    Counters, INBOUND_SPI, OUTBOUND_SPI, TUNNEL, World, agent_with, counters, in_seconds, ip, open_agent,
    plain_child, plain_tunnel,
};

#[test]
fn a_longer_lease_leaves_sequence_and_counters_alone() {
    World::run("lease", |world| {
        let peer = world.add_peer(1);
        let child = plain_child();
        peer.face(&child);
        let mut agent = agent_with(child.clone());
        let before = counters(OUTBOUND_SPI).expect("an SA");
        assert_eq!(peer.ping("10.1.0.1", 5), 5);

        let expires = child.expires + Duration::from_secs(1000);
        assert_eq!(
            agent.apply(vec![Change::PutChild(Child {
                expires,
                ..child.clone()
            })]),
            []
        );
        let lifetime = before.lifetime + 1000;
        assert_eq!(
            counters(OUTBOUND_SPI),
            Some(Counters {
                packets: 5,
                sequence: 5,
                lifetime
            })
        );
        assert_eq!(peer.ping("10.1.0.1", 5), 5);
        assert_eq!(
            counters(OUTBOUND_SPI),
            Some(Counters {
                packets: 10,
                sequence: 10,
                lifetime
            })
        );

        // A restarted agent reads the end of life as it was written, and moves it as well.
        let wanted = agent.wanted().clone();
        let mut agent = open_agent();
        let report = agent.adopt(wanted);
        assert_eq!((report.added, report.updated, report.removed), (0, 0, 0));
        let expires = expires + Duration::from_secs(1000);
        assert_eq!(
            agent.apply(vec![Change::PutChild(Child {
                expires,
                packet_limit: Some(77),
                ..child
            })]),
            []
        );
        let after = counters(OUTBOUND_SPI).expect("an SA");
        assert_eq!(after.sequence, 10);
        // The kernel's clock may have passed a second between our reading it and its adding the SA.
        assert!(after.lifetime.abs_diff(lifetime + 1000) <= 2, "{after:?}");
        assert!(ip(&format!("-s xfrm state list spi {OUTBOUND_SPI:#x}")).contains("hard 77(packets)"));
    });
}

#[test]
fn a_hair_more_of_life_is_not_worth_an_update() {
    World::run("hair", |world| {
        world.add_peer(1);
        let child = plain_child();
        let mut agent = agent_with(plain_child());
        let before = counters(OUTBOUND_SPI);
        agent.apply(vec![Change::PutChild(Child {
            expires: child.expires + Duration::from_secs(2),
            ..child
        })]);
        assert_eq!(counters(OUTBOUND_SPI), before);
        assert_eq!(agent.reconcile().updated, 0);
    });
}

#[test]
fn the_lease_ends_though_nobody_comes() {
    World::run("end", |world| {
        let peer = world.add_peer(1);
        peer.face(&plain_child());
        let mut events = Events::open().expect("root may subscribe");
        let mut agent = agent_with(plain_child());
        assert_eq!(peer.ping("10.1.0.1", 2), 2);
        let child = Child {
            expires: in_seconds(2),
            ..plain_child()
        };
        assert_eq!(agent.apply(vec![Change::PutChild(child.clone())]), []);

        let mut gone = Vec::new();
        while gone.len() < 2 {
            if let Event::Expired(sa) = events.next().expect("an event") {
                assert_eq!((sa.tunnel, sa.exhausted), (TUNNEL, false));
                gone.push(sa.spi);
            }
        }
        gone.sort_unstable();
        assert_eq!(gone, [INBOUND_SPI, OUTBOUND_SPI]);
        assert!(SystemTime::now() <= child.expires + Duration::from_secs(5));
        assert_eq!(peer.ping("10.1.0.1", 2), 0);

        // The policies are of no more use; an expired SA does not come back.
        assert_eq!(
            agent.reconcile(),
            Report {
                adopted: 3,
                removed: 6,
                ..Report::default()
            }
        );
        // A renewal does.
        agent.apply(vec![Change::PutChild(Child {
            expires: in_seconds(60),
            ..child
        })]);
        assert_eq!(peer.ping("10.1.0.1", 2), 2);
    });
}

#[test]
fn an_exhausted_key_never_sends_again() {
    World::run("limit", |world| {
        let peer = world.add_peer(1);
        peer.face(&plain_child());
        let child = Child {
            packet_limit: Some(5),
            ..plain_child()
        };
        let mut agent = agent_with(child.clone());
        assert_eq!(peer.ping("10.1.0.1", 10), 5);
        assert_eq!(counters(OUTBOUND_SPI), None);

        let report = agent.reconcile();
        assert_eq!((report.added, report.updated, report.removed), (0, 0, 0));
        let [failure] = report.failures.as_slice() else {
            panic!("{report:?}")
        };
        assert_eq!(failure.subject, Subject::Child(INBOUND_SPI));
        assert!(
            failure
                .text
                .ends_with("has sent all the packets it may; the peer has to rekey")
        );
        agent.apply(vec![Change::PutChild(Child {
            expires: in_seconds(5000),
            ..child
        })]);
        assert_eq!(counters(OUTBOUND_SPI), None);
        // The peer is still heard.
        assert!(counters(INBOUND_SPI).is_some());
    });
}

#[test]
fn the_first_packet_and_the_nearing_limit_are_told_once() {
    World::run("notices", |world| {
        let peer = world.add_peer(1);
        peer.face(&plain_child());
        let child = Child {
            report_use: true,
            packet_limit: Some(40),
            ..plain_child()
        };
        let mut agent = agent_with(child.clone());
        assert_eq!(agent.notices(), []);
        assert_eq!(peer.ping("10.1.0.1", 1), 1);
        assert_eq!(agent.notices(), [Notice::Used(INBOUND_SPI)]);

        // Its owner has heard, and wants to hear no more.
        let child = Child {
            report_use: false,
            ..child
        };
        assert_eq!(agent.apply(vec![Change::PutChild(child)]), []);
        assert_eq!(peer.ping("10.1.0.1", 28), 28);
        assert_eq!(agent.notices(), []);
        assert_eq!(peer.ping("10.1.0.1", 5), 5);
        assert_eq!(agent.notices(), [Notice::NearLimit(INBOUND_SPI)]);
        assert_eq!(agent.reconcile().updated, 0);
        assert_eq!(agent.notices(), []);
    });
}

#[test]
fn a_key_that_has_sent_its_bytes_is_near_its_limit() {
    World::run("bytes", |world| {
        let peer = world.add_peer(1);
        peer.face(&plain_child());
        let mut agent = agent_with(plain_child());
        let limited = Tunnel {
            rekey_bytes: Some(3000),
            ..plain_tunnel()
        };
        assert_eq!(agent.apply(vec![Change::PutTunnel(TUNNEL, limited)]), []);
        // Answers of 84 bytes.
        assert_eq!(peer.ping("10.1.0.1", 30), 30);
        assert_eq!(agent.notices(), []);
        assert_eq!(peer.ping("10.1.0.1", 10), 10);
        assert_eq!(agent.notices(), [Notice::NearLimit(INBOUND_SPI)]);
    });
}

#[test]
fn a_deletion_is_told() {
    World::run("told", |world| {
        world.add_peer(1);
        let _agent = agent_with(plain_child());
        let mut events = Events::open().expect("root may subscribe");
        ip(&format!(
            "xfrm state delete dst 198.18.1.2 proto esp spi {OUTBOUND_SPI:#x}"
        ));
        let Event::Deleted(sa) = events.next().expect("an event") else {
            panic!("no deletion")
        };
        assert_eq!((sa.tunnel, sa.spi), (TUNNEL, OUTBOUND_SPI));
    });
}
