use super::*;
use crate::fixtures;

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
