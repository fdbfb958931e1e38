//! Which signatures are made and accepted (RFC 7427).

use super::*;

/// A signature covers IKE_INTERMEDIATE as well (RFC 9242 section 3.3.2): who changes it on the way is found out.
#[test]
fn signatures_cover_an_additional_key_exchange() {
    let mut scene = Scene::new();
    scene.customer.kem = Some(Kem::MlKem768);
    scene.succeeds();

    let mut fleet = scene.fleet();
    let mut initiator = Initiator::new(scene.customer.clone(), 1);
    let intermediate = fleet.begin(&mut initiator).unwrap();
    for reply in fleet.deliver(&intermediate) {
        initiator.handle_datagram(&reply.payload);
    }
    initiator.spoil_int_auth();
    let auth = initiator.auth_with(|_| {});
    fleet.converse(&mut initiator, auth);
    assert_eq!(
        refusal_of(&fleet),
        AuthRefusal::Certificate(CertificateFault::Signature)
    );
}

/// The keys that go into a signature have the PPK mixed in (RFC 8784 section 3).
#[test]
fn signatures_cover_a_ppk() {
    let ppk = |key: &[u8]| Ppk {
        id: "ppk".parse().unwrap(),
        key: Secret::new(key.to_vec()),
        required: true,
    };
    let mut scene = Scene::new();
    scene.customer.ppk = Some(ppk(&[7; 32]));
    scene.tunnel.ppk = Some(ppk(&[7; 32]));
    scene.succeeds();
    scene.tunnel.ppk = Some(ppk(&[8; 32]));
    assert_eq!(scene.fault(), CertificateFault::Signature);
    // The operator hears why, however little the signature says.
    scene.tunnel.ppk = Some(Ppk {
        id: "another".parse().unwrap(),
        ..ppk(&[7; 32])
    });
    assert_eq!(refusal_of(&scene.connect().0), AuthRefusal::UnknownPpk);

    // A peer that can do without signs twice.
    scene.customer.ppk = Some(Ppk {
        required: false,
        ..ppk(&[7; 32])
    });
    scene.tunnel.ppk = Some(Ppk {
        id: "another".parse().unwrap(),
        required: false,
        ..ppk(&[7; 32])
    });
    scene.succeeds();
}

#[test]
fn keys_of_every_kind_authenticate_each_other() {
    for theirs in KINDS {
        for ours in KINDS {
            let mut scene = Scene::with(&leaf(CUSTOMER), theirs, ours);
            let (fleet, _) = scene.succeeds();
            assert_eq!(last_ike(&fleet).remote_id, fqdn(CUSTOMER));
            scene.customer.prefers_pkcs1 = true;
            scene.succeeds();
        }
    }
}

/// Methods 1, 9 and 10; Ed25519 has none.
#[test]
fn peers_that_do_not_know_rfc_7427_authenticate_too() {
    for kind in KINDS {
        let mut scene = Scene::with(&leaf(CUSTOMER), kind, kind);
        scene.customer.hash_algorithms = None;
        match kind == &PKCS_ED25519 {
            true => assert_eq!(scene.connect().1.status(), Status::Connecting),
            false => drop(scene.succeeds()),
        }
    }
}

/// "A peer MUST pick one algorithm sent by the other peer" (RFC 7427 section 4).
#[test]
fn we_sign_with_a_hash_that_the_peer_announces() {
    for (kind, announced, good) in [
        (&PKCS_RSA_SHA256, &[4][..], true),
        (&PKCS_RSA_SHA256, &[1, 3], true),
        (&PKCS_RSA_SHA256, &[1], false),
        (&PKCS_RSA_SHA256, &[], false),
        (&PKCS_ECDSA_P256_SHA256, &[2], true),
        (&PKCS_ECDSA_P256_SHA256, &[3], true),
        (&PKCS_ECDSA_P256_SHA256, &[4], true),
        (&PKCS_ECDSA_P256_SHA256, &[1, 5], false),
        (&PKCS_ECDSA_P384_SHA384, &[2], true),
        (&PKCS_ECDSA_P384_SHA384, &[3], true),
        (&PKCS_ECDSA_P384_SHA384, &[4], true),
        (&PKCS_ECDSA_P384_SHA384, &[5], false),
        (&PKCS_ED25519, &[5], true),
        (&PKCS_ED25519, &[2, 3, 4], false),
    ] {
        let mut scene = Scene::with(&leaf(CUSTOMER), &PKCS_ECDSA_P256_SHA256, kind);
        scene.customer.hash_algorithms = Some(announced.to_vec());
        match good {
            true => drop(scene.succeeds()),
            false => assert_eq!(scene.fault(), CertificateFault::NoCommonHash),
        }
    }
}

/// The certificate of a customer is no secret: another may send it.
#[test]
fn a_signature_must_be_by_the_certificates_key() {
    let mut scene = Scene::new();
    let stolen = scene
        .customer
        .certificates
        .as_ref()
        .unwrap()
        .chain()
        .next()
        .unwrap()
        .to_vec();
    let mut thief = Setup::new(
        &scene.root,
        &scene.root,
        &leaf("thief.example"),
        &PKCS_ECDSA_P256_SHA256,
    );
    thief.chain.push(stolen);
    scene.bring(&thief);
    let refusal = scene.refusal_with(|payloads| payloads.swap(1, 2));
    assert_eq!(refusal, CertificateFault::Signature.into());
    assert_eq!(scene.fault(), CertificateFault::OtherIdentity(fqdn(CUSTOMER)));
}

#[test]
fn signatures_that_are_not_accepted_are_called_by_their_name() {
    const SHA1_WITH_RSA: [u8; 16] = [
        15, 0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 5, 5, 0,
    ];
    const PSS_BY_DEFAULT: [u8; 16] = [
        15, 0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 10, 0x30, 0,
    ];
    let pss = CertificateFault::Algorithm("1.2.840.113549.1.1.10".into());
    for (method, data, expected) in [
        (14, &SHA1_WITH_RSA[..], CertificateFault::Sha1.into()),
        (14, &PSS_BY_DEFAULT, pss.into()),
        (
            14,
            &[2, 0x30, 0],
            CertificateFault::Algorithm("without name".into()).into(),
        ),
        (14, &[], CertificateFault::Signature.into()),
        (14, &[200, 0x30], CertificateFault::Signature.into()),
        (1, &[1; 256], CertificateFault::Signature.into()),
        (9, &[1; 64], CertificateFault::Signature.into()),
        // DSS, and ECDSA on P-521.
        (3, &[1; 40], AuthRefusal::Method(3)),
        (11, &[1; 132], AuthRefusal::Method(11)),
    ] {
        let refusal = Scene::new().refusal_with(|payloads| {
            for payload in payloads {
                if let Payload::Auth(auth) = payload {
                    *auth = Auth { method, data };
                }
            }
        });
        assert_eq!(refusal, expected, "method {method}");
    }
}
