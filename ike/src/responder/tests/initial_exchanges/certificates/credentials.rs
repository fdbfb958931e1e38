//! What an operator may configure, and what is shown of it.

use super::*;

#[test]
fn credentials_that_contradict_each_other_are_no_credentials() {
    let root = Authority::root("Root");
    let good = || Setup::new(&root, &root, &leaf(FLEET), &PKCS_ECDSA_P256_SHA256);
    let error = |change: fn(&mut Setup)| {
        let mut setup = good();
        change(&mut setup);
        setup.try_build().err()
    };
    assert_eq!(error(|_| {}), None);
    assert_eq!(
        error(|setup| setup.anchors.clear()),
        Some(CredentialError::NoAnchor)
    );
    assert_eq!(
        error(|setup| setup.anchors.push(vec![1])),
        Some(CredentialError::Anchor(2))
    );
    assert_eq!(
        error(|setup| setup.chain.clear()),
        Some(CredentialError::Chain(1))
    );
    assert_eq!(
        error(|setup| setup.chain.push(vec![])),
        Some(CredentialError::Chain(2))
    );
    assert_eq!(error(|setup| setup.key.truncate(9)), Some(CredentialError::Key));
    assert_eq!(
        error(|setup| setup.key = crate::responder::tests::pki::key(&PKCS_ED25519).serialize_der()),
        Some(CredentialError::OtherKey)
    );
    assert!(matches!(
        error(|setup| setup.crls.push(setup.chain[0].clone())),
        Some(CredentialError::Crl(1, _))
    ));
    let many = |setup: &mut Setup| setup.anchors = vec![setup.anchors[0].clone(); 9];
    assert_eq!(
        error(many),
        Some(CredentialError::TooMany(8, "authorities to trust"))
    );

    let ours = good().build();
    let customer = fqdn(CUSTOMER);
    for id in [
        fqdn("Fleet.example"),
        Identity::Address([198, 51, 100, 1].into()),
        ours.subject(),
    ] {
        assert_eq!(ours.check(&customer, &id, UNIX_TIME), Ok(()));
    }
    for id in [
        fqdn("other.example"),
        Identity::Address([198, 51, 100, 2].into()),
        Identity::KeyId(vec![1]),
    ] {
        assert_eq!(
            ours.check(&customer, &id, UNIX_TIME),
            Err(CredentialError::NotOurs(id))
        );
    }
    let key_id = Identity::KeyId(vec![1]);
    assert_eq!(
        ours.check(&key_id, &fqdn(FLEET), UNIX_TIME),
        Err(CredentialError::NotProvable(key_id.clone()))
    );
    for seconds in [0, u64::MAX] {
        assert!(matches!(
            ours.check(&customer, &fqdn(FLEET), Duration::from_secs(seconds)),
            Err(CredentialError::OutOfTime { .. })
        ));
    }
}

/// As `openssl` and strongSwan's `pki` write them.
#[test]
fn private_keys_are_read_in_their_old_forms_too() {
    let root = Authority::root("Root");
    // PKCS#8 is a sequence of version, algorithm and an octet string that holds the old form.
    let old_form = |pkcs8: &[u8]| {
        let (_, key) = x509_parser::asn1_rs::Sequence::from_der(pkcs8).unwrap();
        let (rest, _) = x509_parser::asn1_rs::Any::from_der(&key.content).unwrap();
        let (rest, _) = x509_parser::asn1_rs::Any::from_der(rest).unwrap();
        x509_parser::asn1_rs::OctetString::from_der(rest)
            .unwrap()
            .1
            .as_cow()
            .to_vec()
    };
    for kind in [&PKCS_RSA_SHA256, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384] {
        let mut setup = Setup::new(&root, &root, &leaf(FLEET), kind);
        setup.key = old_form(&setup.key);
        assert_eq!(setup.try_build().err(), None);
    }
}

#[test]
fn no_debug_output_shows_a_private_key() {
    let root = Authority::root("Root");
    let setup = Setup::new(&root, &root, &leaf(FLEET), &PKCS_ECDSA_P256_SHA256);
    let text = format!(
        "{:?} {:#?}",
        setup.build(),
        Credentials::Certificates(setup.build())
    );
    assert!(text.contains("fleet.example") && text.contains("P256"), "{text}");
    assert!(text.len() < 500, "{text}");
}
