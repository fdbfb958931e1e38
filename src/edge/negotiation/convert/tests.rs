use std::net::SocketAddr;
use std::time::Instant;

use proto::{Change, Slot, limits};

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

#[test]
fn a_tunnel_opens_for_the_responder() {
    let record = fixtures::tunnel(1, "acme", 1);
    let proto::Body::Tunnel(sealed) = &record.body else {
        panic!("{record:?}");
    };
    let tunnel = tunnel(&fixtures::fleet_key(), sealed).unwrap();
    let ike::Credentials::Psk(psk) = &tunnel.credentials else {
        panic!("{tunnel:?}");
    };
    assert_eq!(psk.expose(), b"a pre-shared key");
    assert_eq!(tunnel.remote_id, ike::Identity::Fqdn("acme.example".into()));
    assert_eq!(tunnel.remote_ts[0].last().to_string(), "10.1.255.255");
}

#[test]
fn a_ppk_opens_for_the_responder() {
    let proto::Body::Tunnel(without) = fixtures::tunnel(1, "acme", 1).body else {
        panic!("no tunnel");
    };
    let header = proto::Tunnel {
        ppk: Some(proto::Ppk {
            id: "acme-2026".parse().unwrap(),
            required: true,
        }),
        ..without.header().clone()
    };
    let secrets = TunnelSecrets {
        credentials: b"a pre-shared key".to_vec().into(),
        ppk: vec![7; 32].into(),
    };
    let open = |secret: &[u8]| {
        let secret = Secret::new(secret.to_vec());
        let sealed = sealing::seal_record(&fixtures::fleet_key(), header.clone(), &secret).unwrap();
        tunnel(&fixtures::fleet_key(), &sealed)
    };
    let opened = open(secrets.encode().expose()).unwrap();
    let (ike::Credentials::Psk(psk), Some(ppk)) = (&opened.credentials, &opened.ppk) else {
        panic!("{opened:?}");
    };
    assert_eq!(psk.expose(), b"a pre-shared key");
    assert_eq!((ppk.id.as_ref(), ppk.required), ("acme-2026", true));
    assert_eq!(ppk.key.expose(), [7; 32]);

    let keyless = TunnelSecrets {
        ppk: Vec::new().into(),
        ..secrets
    };
    for secret in [&b"a pre-shared key"[..], keyless.encode().expose()] {
        assert!(open(secret).is_err());
    }
}

#[test]
fn certificates_open_for_the_responder() {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["fleet.example".to_owned()]).unwrap();
    let der = params.self_signed(&key).unwrap().der().to_vec();
    let certificates = TunnelCertificates {
        anchors: vec![der.clone()],
        crls: vec![],
        chain: vec![der],
        key: key.serialize_der().into(),
    };
    let open = |secret: &[u8]| {
        let proto::Body::Tunnel(by_psk) = fixtures::tunnel(1, "acme", 1).body else {
            panic!("no tunnel");
        };
        let header = proto::Tunnel {
            auth: AuthMethod::Certificates,
            redirect: None,
            ..by_psk.header().clone()
        };
        let secret = Secret::new(secret.to_vec());
        tunnel(
            &fixtures::fleet_key(),
            &sealing::seal_record(&fixtures::fleet_key(), header, &secret).unwrap(),
        )
    };
    let opened = open(certificates.encode().expose()).unwrap();
    assert!(matches!(opened.credentials, ike::Credentials::Certificates(_)));

    let keyless = TunnelCertificates {
        key: Vec::new().into(),
        ..certificates
    };
    for secret in [&b"a pre-shared key"[..], keyless.encode().expose()] {
        assert!(open(secret).is_err());
    }
}

/// The distributor would refuse it, and each time that it comes again.
#[test]
fn the_rekey_of_an_ike_sa_with_all_the_child_sas_it_may_have_fits_one_commit() {
    let each_moves = 2 * ike::Limits::default().children_max;
    let old_and_both_new = 3;
    assert!(each_moves + old_and_both_new <= limits::CHANGES);
}
