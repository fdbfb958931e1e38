//! What each side asks for, and takes beside it.

use super::*;

#[test]
fn what_is_not_asked_for_costs_little() {
    static LONG: [u8; 9000] = [0; 9000];
    let without = |encoding| {
        move |payloads: &mut Vec<Payload<'_>>| {
            if let Payload::Certificate(certificate) = &mut payloads[1] {
                certificate.encoding = encoding;
            }
        }
    };
    let with = |data: &'static [u8], times: usize| {
        move |payloads: &mut Vec<Payload<'_>>| {
            let certificate = Certificate { encoding: 4, data };
            payloads.extend(std::iter::repeat_n(Payload::Certificate(certificate), times));
        }
    };
    let scene = Scene::new();
    // Hash and URL (RFC 7296 section 3.6) is not what was asked for.
    assert_eq!(scene.refusal_with(without(12)), CertificateFault::Missing.into());
    assert_eq!(
        scene.refusal_with(with(&LONG, 1)),
        CertificateFault::TooLong(9000).into()
    );
    assert_eq!(
        scene.refusal_with(with(&[], 5)),
        CertificateFault::TooMany(5).into()
    );
    assert_eq!(
        scene.refusal_with(with(b"no DER", 1)),
        CertificateFault::Malformed.into()
    );
}

#[test]
fn the_tunnel_decides_how_its_peer_authenticates() {
    let scene = Scene::new();
    let by_key = Scene {
        customer: Customer {
            certificates: None,
            ..scene.customer.clone()
        },
        ..Scene::new()
    };
    assert_eq!(by_key.refusal(), AuthRefusal::OtherMethod(2));
    let mut scene = scene;
    scene.tunnel.credentials = Credentials::Psk(scene.customer.psk.clone());
    // A peer that is asked for no certificate is not told of RFC 7427 either.
    assert_eq!(scene.refusal(), AuthRefusal::OtherMethod(9));
}

/// The encoding and the authorities of the certificate request, and the hash algorithms, that a customer is answered with.
fn asked_for(fleet: &mut TestFleet, customer: &Customer, seed: u64) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let init = Initiator::new(customer.clone(), seed).start();
    let answer = fleet.deliver(&init).remove(0);
    let header = Header::decode(&answer.payload).unwrap();
    let message = Message::decode_body(header, &answer.payload).unwrap();
    let (mut request, mut hashes) = (None, None);
    for payload in &message.payloads {
        match payload {
            Payload::CertificateRequest(certificate) => request = Some(certificate.data.to_vec()),
            Payload::Notify(notify) if notify.kind == NotifyType::SIGNATURE_HASH_ALGORITHMS => {
                hashes = Some(notify.data.to_vec());
            }
            _ => {}
        }
    }
    (request, hashes)
}

#[test]
fn authorities_are_named_while_a_tunnel_trusts_them() {
    let scene = Scene::new();
    let customer = &scene.customer;
    let mut fleet = TestFleet::new(5);
    let now = fleet.now;
    assert_eq!(asked_for(&mut fleet, customer, 1), (None, None));

    fleet.responder.handle_tunnel(now, scene.tunnel.clone());
    let second = Tunnel {
        name: "second".into(),
        remote_id: fqdn("second.example"),
        ..scene.tunnel.clone()
    };
    fleet.responder.handle_tunnel(now, second);
    let spki = x509_parser::parse_x509_certificate(&scene.root.der())
        .unwrap()
        .1
        .public_key()
        .raw
        .to_vec();
    let hash = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &spki);
    let request = Some(hash.as_ref().to_vec());
    assert_eq!(
        asked_for(&mut fleet, customer, 2),
        (request.clone(), Some(vec![0, 2, 0, 3, 0, 4, 0, 5]))
    );
    let older = Customer {
        hash_algorithms: None,
        ..customer.clone()
    };
    assert_eq!(asked_for(&mut fleet, &older, 3), (request.clone(), None));

    fleet.responder.handle_tunnel_removed(now, &scene.tunnel.name);
    assert_eq!(asked_for(&mut fleet, customer, 4).0, request);
    fleet.responder.handle_tunnel_removed(now, "second");
    assert_eq!(asked_for(&mut fleet, customer, 5), (None, None));

    for number in 0..20 {
        let mut other = Scene::new();
        other.tunnel.name = format!("tunnel {number}");
        other.tunnel.remote_id = fqdn(&format!("cpe{number}.example"));
        fleet.responder.handle_tunnel(now, other.tunnel);
    }
    assert_eq!(asked_for(&mut fleet, customer, 6).0.unwrap().len(), 8 * 20);
}
