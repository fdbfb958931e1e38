//! Records for tests. Nobody can open their secrets.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proto::{
    AuthMethod, Body, ChildSa, Delta, Edge, EspSuite, Header, IkeSpis, InboundSpi, Key, Record, Sealed, Slot,
    Timestamp, Tombstone, TrafficSelector, Tunnel, TunnelId,
};

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
        slot: Slot::new(slot).unwrap(),
        name: name.parse().unwrap(),
        forward: forward_address(slot),
        incarnation: slot.into(),
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
            buried: now().into(),
        }),
    }
}

fn sealed<H: Header>(header: H) -> Sealed<H> {
    Sealed::new(header, |_| vec![1; 80].into())
}

pub(crate) fn tunnel(revision: u64, name: &str, id: u16) -> Record {
    let header = Tunnel {
        name: name.parse().unwrap(),
        id: TunnelId::new(id).unwrap(),
        remote_id: format!("{name}.example").parse().unwrap(),
        local_id: None,
        esp: vec![EspSuite::Encrypted(proto::Cipher::Aes256Gcm16)],
        local_ts: vec!["0.0.0.0/0".parse().unwrap()],
        remote_ts: vec![format!("10.{id}.0.0/16").parse().unwrap()],
        netns: None,
        interface: format!("ipsec{id}").parse().unwrap(),
        mtu: None,
        addresses: Vec::new(),
        rekey_bytes: None,
        auth: AuthMethod::Psk,
        redirect: None,
        ppk: None,
    };
    Record {
        revision,
        body: Body::Tunnel(sealed(header)),
    }
}

pub(crate) fn child_sa(revision: u64, inbound_spi: u32, tunnel: &str) -> Record {
    let selector = |first: [u8; 4], last: [u8; 4]| {
        TrafficSelector::new(0, (0, 65_535), first.into(), last.into()).unwrap()
    };
    let header = ChildSa {
        inbound_spi: spi(inbound_spi),
        outbound_spi: 0xc000_0000 | inbound_spi,
        ike: IkeSpis {
            initiator: 1,
            responder: 2,
        },
        tunnel: tunnel.parse().unwrap(),
        local: "203.0.113.1:500".parse().unwrap(),
        peer: "198.51.100.7:500".parse().unwrap(),
        udp_encap: false,
        suite: EspSuite::Encrypted(proto::Cipher::Aes256Gcm16),
        local_ts: vec![selector([0, 0, 0, 0], [255, 255, 255, 255])],
        remote_ts: vec![selector([10, 1, 0, 0], [10, 1, 255, 255])],
        created: now().into(),
        expires: Timestamp::from(now()).after(Duration::from_secs(86_400)),
        precedence: 5,
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
