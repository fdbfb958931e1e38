//! Records for tests.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use distributor_client::replica::Replica;
use ike::Secret;
use prost::bytes::Bytes;
use proto::{
    Body, ChildSa, ChildSaKeys, Delta, EspSuite, IkeSa, InboundSpi, Key, Record, Sealed, Timestamp,
    Tombstone, Tunnel, testkit,
};
use sealing::FleetKey;

/// When every test takes place.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// A child SA's inbound SPI; `number` has a slot in its high ten bits.
pub(crate) fn spi(number: u32) -> InboundSpi {
    number.try_into().unwrap()
}

/// The fleet key of all sealed records here.
pub(crate) fn fleet_key() -> FleetKey {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fleet.key");
    files::write_new(&path, "42".repeat(32).as_bytes(), files::PRIVATE).unwrap();
    FleetKey::load(&path).unwrap()
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
    let psk = Secret::new(b"a pre-shared key".to_vec());
    let sealed = sealing::seal_record(&fleet_key(), tunnel_header(name, id), &psk).unwrap();
    Record {
        revision,
        body: Body::Tunnel(sealed),
    }
}

/// A tunnel whose secret nobody can open.
pub(crate) fn tampered_tunnel(revision: u64, name: &str, id: u16) -> Record {
    let sealed = Sealed::new(tunnel_header(name, id), |_| Bytes::from_static(&[1; 80]));
    Record {
        revision,
        body: Body::Tunnel(sealed),
    }
}

fn tunnel_header(name: &str, id: u16) -> Tunnel {
    Tunnel {
        local_ts: vec!["0.0.0.0/0".parse().unwrap()],
        remote_ts: vec![format!("10.{id}.0.0/16").parse().unwrap()],
        interface: format!("ipsec{id}").parse().unwrap(),
        ..testkit::tunnel(name, id)
    }
}

pub(crate) fn child_sa(revision: u64, inbound_spi: u32, tunnel: &str) -> Record {
    child_sa_with(
        EspSuite::Encrypted(ike::Cipher::Aes256Gcm16),
        revision,
        inbound_spi,
        tunnel,
    )
}

pub(crate) fn child_sa_with(suite: EspSuite, revision: u64, inbound_spi: u32, tunnel: &str) -> Record {
    let keys = ChildSaKeys {
        inbound: vec![1; suite.key_len()].into(),
        outbound: vec![2; suite.key_len()].into(),
    };
    let header = ChildSa {
        suite,
        ..child_header(inbound_spi, tunnel)
    };
    let sealed = sealing::seal_record(&fleet_key(), header, &keys.encode()).unwrap();
    Record {
        revision,
        body: Body::ChildSa(sealed),
    }
}

/// A child SA whose secret nobody can open.
pub(crate) fn tampered_child_sa(revision: u64, inbound_spi: u32, tunnel: &str) -> Record {
    let sealed = Sealed::new(child_header(inbound_spi, tunnel), |_| {
        Bytes::from_static(&[1; 80])
    });
    Record {
        revision,
        body: Body::ChildSa(sealed),
    }
}

fn child_header(inbound_spi: u32, tunnel: &str) -> ChildSa {
    ChildSa {
        inbound_spi: spi(inbound_spi),
        outbound_spi: 0xc000_0000 | inbound_spi,
        local_ts: vec![testkit::selector([0; 4], [255; 4])],
        remote_ts: vec![testkit::selector([10, 1, 0, 0], [10, 1, 255, 255])],
        expires: Timestamp::from(now()).after(Duration::from_secs(86_400)),
        precedence: 5,
        ..testkit::child_sa(&ike_header(2, tunnel), 1)
    }
}

fn ike_header(responder_spi: u64, tunnel: &str) -> IkeSa {
    IkeSa {
        epoch: 1,
        tunnel: tunnel.parse().unwrap(),
        remote_id: format!("{tunnel}.example").parse().unwrap(),
        created: now().into(),
        ..testkit::ike_sa(testkit::slot(1), responder_spi)
    }
}

/// An IKE SA of the edge in slot 1, whose snapshot nobody can open.
pub(crate) fn ike_sa(revision: u64, responder_spi: u64, tunnel: &str) -> Record {
    let sealed = Sealed::new(ike_header(responder_spi, tunnel), |_| {
        Bytes::from_static(&[1; 80])
    });
    Record {
        revision,
        body: Body::IkeSa(sealed),
    }
}

/// A replica that has taken in a snapshot.
pub(crate) fn snapshot(store: u64, records: Vec<Record>, revision: u64) -> Replica {
    let mut replica = Replica::default();
    replica.begin_stream();
    replica.begin_snapshot();
    assert!(replica.receive(
        store,
        Delta {
            records,
            revision: Some(revision)
        },
        now().into()
    ));
    replica
}
