//! Which certificates are believed: their path, time, usage and revocation.

use super::*;

#[test]
fn intermediate_certificates_lead_to_the_anchor() {
    let mut scene = Scene::new();
    let upper = scene.root.intermediate("Upper");
    let lower = upper.intermediate("Lower");
    let mut theirs = Setup::new(&scene.root, &lower, &leaf(CUSTOMER), &PKCS_ECDSA_P256_SHA256);
    scene.bring(&theirs);
    assert_eq!(
        scene.fault(),
        path("no trusted authority has issued the certificate")
    );
    // "The other certificates may be sent in any order", and the anchor may be among them.
    theirs.chain.extend([upper.der(), scene.root.der(), lower.der()]);
    scene.bring(&theirs);
    let mut ours = Setup::new(&scene.root, &lower, &leaf(FLEET), &PKCS_ECDSA_P256_SHA256);
    ours.chain.extend([lower.der(), upper.der()]);
    scene.trust(&ours);
    scene.succeeds();
}

#[test]
fn a_wrong_path_is_refused_by_name_of_the_rule() {
    let other = Authority::root("Other");
    let mut scene = Scene::new();
    scene.bring(&Setup::new(
        &scene.root,
        &other,
        &leaf(CUSTOMER),
        &PKCS_ECDSA_P256_SHA256,
    ));
    assert_eq!(
        scene.fault(),
        path("no trusted authority has issued the certificate")
    );

    // An authority of the same name with another key.
    let impostor = Authority::root("Root");
    scene.bring(&Setup::new(
        &scene.root,
        &impostor,
        &leaf(CUSTOMER),
        &PKCS_ECDSA_P256_SHA256,
    ));
    assert_eq!(
        scene.fault(),
        path("a certificate is not signed by the authority it names")
    );

    // One that is no authority, and one that may sign nothing but CRLs.
    for (params, fault) in [
        (
            leaf("middle.example"),
            path("a certificate was issued by one that is no authority's"),
        ),
        (
            changed(Authority::params("Middle"), |params| {
                params.key_usages = vec![KeyUsagePurpose::CrlSign];
            }),
            CertificateFault::AuthorityKeyUsage,
        ),
    ] {
        let middle = scene.root.intermediate_with(params);
        let mut theirs = Setup::new(&scene.root, &middle, &leaf(CUSTOMER), &PKCS_ECDSA_P256_SHA256);
        theirs.chain.push(middle.der());
        scene.bring(&theirs);
        assert_eq!(scene.fault(), fault);
    }
}

#[test]
fn certificates_are_good_within_their_time() {
    let params = changed(leaf(CUSTOMER), |params| {
        params.not_before = date_time_ymd(2027, 1, 1);
        params.not_after = date_time_ymd(2027, 2, 1);
    });
    let mut scene = Scene::with(&params, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P256_SHA256);
    scene.succeeds();
    let month = Duration::from_secs(31 * 24 * 3600);
    scene.unix_time = UNIX_TIME - month;
    assert_eq!(scene.fault(), path("a certificate is not valid yet"));
    scene.unix_time = UNIX_TIME + month;
    assert_eq!(scene.fault(), path("a certificate has expired"));
}

/// RFC 4945 sections 5.1.3.2 and 5.1.3.12.
#[test]
fn a_certificate_must_be_for_signatures_and_for_ike() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, Other, ServerAuth};
    use KeyUsagePurpose::{ContentCommitment, DigitalSignature, KeyAgreement, KeyEncipherment};
    let purpose = path("a certificate's extended key usage is not for IKE (RFC 4945 section 5.1.3.12)");
    let ike = Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 17]);
    for (key_usages, extended_key_usages, expected) in [
        (vec![], vec![], None),
        (vec![DigitalSignature], vec![ike.clone()], None),
        (vec![ContentCommitment, KeyAgreement], vec![ClientAuth, ike], None),
        (vec![DigitalSignature], vec![ServerAuth, Any], None),
        (vec![KeyEncipherment], vec![], Some(CertificateFault::KeyUsage)),
        (
            vec![DigitalSignature],
            vec![ServerAuth, ClientAuth],
            Some(purpose),
        ),
    ] {
        let params = changed(leaf(CUSTOMER), |params| {
            params.key_usages = key_usages;
            params.extended_key_usages = extended_key_usages;
        });
        let scene = Scene::with(&params, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P256_SHA256);
        match expected {
            None => drop(scene.succeeds()),
            Some(fault) => assert_eq!(scene.fault(), fault),
        }
    }
}

#[test]
fn revoked_certificates_are_refused() {
    let mut scene = Scene::new();
    let middle = scene
        .root
        .intermediate_with(changed(Authority::params("Middle"), |params| {
            params.serial_number = Some(8.into());
        }));
    let mut theirs = Setup::new(&scene.root, &middle, &leaf(CUSTOMER), &PKCS_ECDSA_P256_SHA256);
    theirs.chain.push(middle.der());
    scene.bring(&theirs);
    let impostor = Authority::root("Root");
    let mut ours = Setup::new(&scene.root, &scene.root, &leaf(FLEET), &PKCS_ECDSA_P256_SHA256);
    let revoked = Some("a certificate is revoked");
    let unknown = Some("no CRL tells whether a certificate is revoked");
    for (crls, expected) in [
        (vec![], None),
        (vec![scene.root.crl(&[1], 2030), middle.crl(&[2], 2030)], None),
        (
            vec![scene.root.crl(&[], 2030), middle.crl(&[6, 7], 2030)],
            revoked,
        ),
        (vec![scene.root.crl(&[8], 2030), middle.crl(&[], 2030)], revoked),
        (vec![middle.crl(&[], 2030)], unknown),
        (vec![scene.root.crl(&[], 2030)], unknown),
        (
            vec![scene.root.crl(&[], 2030), middle.crl(&[], 2026)],
            Some("a CRL has expired"),
        ),
        (
            vec![impostor.crl(&[], 2030), middle.crl(&[], 2030)],
            Some("the certificates form no valid path: InvalidCrlSignatureForPublicKey"),
        ),
    ] {
        ours.crls = crls;
        scene.trust(&ours);
        match expected {
            None => drop(scene.succeeds()),
            Some(words) => assert_eq!(scene.fault(), path(words)),
        }
    }
}
