//! Records for tests. Nobody can open their secrets.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proto::testkit::{self, sealed};
use proto::{Body, ChildSa, Delta, Edge, InboundSpi, Key, Record, Timestamp, Tombstone};

use crate::replica::Replica;

/// When every test takes place.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// A child SA's inbound SPI; `number` has a slot in its high ten bits.
pub(crate) fn spi(number: u32) -> InboundSpi {
    number.try_into().unwrap()
}

pub(crate) fn forward_address(slot: u16) -> SocketAddr {
    SocketAddr::from(([10, 9, 0, slot as u8], 4501))
}

pub(crate) fn edge(revision: u64, slot: u16, name: &str) -> Record {
    let edge = Edge {
        forward: forward_address(slot),
        ..testkit::edge(testkit::slot(slot), name)
    };
    Record {
        revision,
        body: Body::Edge(edge),
    }
}

pub(crate) fn tombstone(revision: u64, key: Key) -> Record {
    Record {
        revision,
        body: Body::Tombstone(Tombstone {
            key,
            deleted: now().into(),
        }),
    }
}

pub(crate) fn tunnel(revision: u64, name: &str, id: u16) -> Record {
    Record {
        revision,
        body: Body::Tunnel(sealed(testkit::tunnel(name, id))),
    }
}

/// Of the edge in slot 1.
pub(crate) fn child_sa(revision: u64, inbound_spi: u32, tunnel: &str) -> Record {
    let header = ChildSa {
        inbound_spi: spi(inbound_spi),
        tunnel: tunnel.parse().unwrap(),
        created: now().into(),
        expires: Timestamp::from(now()).after(Duration::from_secs(86_400)),
        ..testkit::child_sa(&testkit::ike_sa(testkit::slot(1), 2), 1)
    };
    Record {
        revision,
        body: Body::ChildSa(sealed(header)),
    }
}

/// A replica that has taken in a snapshot.
pub(crate) fn snapshot(store: u64, records: Vec<Record>, revision: u64) -> Replica {
    let mut replica = Replica::default();
    replica.begin_stream();
    replica.begin_snapshot();
    let revision = Some(revision);
    assert!(replica.receive(store, Delta { records, revision }, now().into()));
    replica
}
