//! IKE_AUTH by certificates (RFC 7427, RFC 4945).

use std::sync::atomic::Ordering;
use std::time::Duration;

use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, SanType, SignatureAlgorithm, date_time_ymd,
};

use x509_parser::prelude::FromDer;

use super::pki::{Authority, Setup, changed, leaf};
use super::*;
use crate::testkit::{TestHost, UNIX_TIME};
use crate::wire::{Auth, Certificate};
use crate::{AuthRefusal, CertificateFault, CredentialError, Credentials, Identity, Kem, Limits, Tunnel};

/// The names in the customer's and in the fleet's certificates.
const CUSTOMER: &str = "cpe1.example";
const FLEET: &str = "fleet.example";

/// Two sides that believe one authority.
struct Scene {
    root: Authority,
    customer: Customer,
    tunnel: Tunnel,
    unix_time: Duration,
}

impl Scene {
    /// With ECDSA on P-256.
    fn new() -> Self {
        Self::with(&leaf(CUSTOMER), &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P256_SHA256)
    }

    fn with(
        params: &CertificateParams,
        customers_key: &'static SignatureAlgorithm,
        fleets_key: &'static SignatureAlgorithm,
    ) -> Self {
        let root = Authority::root("Root");
        let theirs = Setup::new(&root, &root, params, customers_key);
        let ours = Setup::new(&root, &root, &leaf(FLEET), fleets_key);
        let customer = Customer {
            certificates: Some(theirs.build()),
            peer_id: Some(fqdn(FLEET)),
            ..Customer::new(1)
        };
        let mut scene = Self {
            tunnel: customer.tunnel(),
            root,
            customer,
            unix_time: UNIX_TIME,
        };
        scene.trust(&ours);
        scene
    }

    /// The fleet's side of it.
    fn trust(&mut self, setup: &Setup) {
        self.tunnel.credentials = Credentials::Certificates(setup.build());
    }

    /// The customer's side of it.
    fn bring(&mut self, setup: &Setup) {
        self.customer.certificates = Some(setup.build());
    }

    /// The customer is known by another identity.
    fn name(&mut self, id: Identity) {
        self.customer.id = id.clone();
        self.tunnel.remote_id = id;
    }

    fn fleet(&self) -> TestFleet {
        let host = TestHost::new(1);
        host.clock().store(self.unix_time.as_secs(), Ordering::Relaxed);
        let mut fleet = TestFleet::with_host(5, host, Limits::default());
        fleet.responder.handle_tunnel(fleet.now, self.tunnel.clone());
        fleet
    }

    fn connect(&self) -> (TestFleet, Initiator) {
        let mut fleet = self.fleet();
        let mut initiator = Initiator::new(self.customer.clone(), 1);
        fleet.connect(&mut initiator);
        (fleet, initiator)
    }

    #[track_caller]
    fn succeeds(&self) -> (TestFleet, Initiator) {
        let (fleet, initiator) = self.connect();
        assert_eq!(initiator.status(), Status::Up, "{:?}", fleet.events);
        assert!(initiator.child().is_some());
        (fleet, initiator)
    }

    /// The customer is told AUTHENTICATION_FAILED and nothing more, and the operator why.
    #[track_caller]
    fn refusal(&self) -> AuthRefusal {
        let (fleet, initiator) = self.connect();
        assert_eq!(
            initiator.status(),
            Status::Refused(NotifyType::AUTHENTICATION_FAILED.0),
            "{:?}",
            fleet.events
        );
        refusal_of(&fleet)
    }

    #[track_caller]
    fn fault(&self) -> CertificateFault {
        match self.refusal() {
            AuthRefusal::Certificate(fault) => fault,
            refusal => panic!("{refusal:?} where a fault of the certificate was expected"),
        }
    }

    /// What a customer is refused for whose IKE_AUTH is changed.
    fn refusal_with(&self, change: impl FnOnce(&mut Vec<Payload<'_>>)) -> AuthRefusal {
        let mut fleet = self.fleet();
        let mut initiator = Initiator::new(self.customer.clone(), 1);
        let init = initiator.start();
        let response = fleet.deliver(&init).remove(0);
        initiator.handle_datagram(&response.payload);
        let auth = initiator.auth_with(change).unwrap();
        let answer = fleet.deliver(&auth).remove(0);
        assert_eq!(read(&initiator, &answer).len(), 1);
        refusal_of(&fleet)
    }
}

#[track_caller]
fn refusal_of(fleet: &TestFleet) -> AuthRefusal {
    assert!(fleet.commits.is_empty(), "something reached the fleet");
    match fleet.last_event() {
        Some(What::AuthRefused(refusal)) => refusal.clone(),
        what => panic!("{what:?} where IKE_AUTH should be refused"),
    }
}

fn fqdn(name: &str) -> Identity {
    Identity::Fqdn(name.into())
}

fn path(words: &str) -> CertificateFault {
    CertificateFault::Path(words.into())
}

const KINDS: [&SignatureAlgorithm; 4] = [
    &PKCS_RSA_SHA256,
    &PKCS_ECDSA_P256_SHA256,
    &PKCS_ECDSA_P384_SHA384,
    &PKCS_ED25519,
];

/// A signature covers IKE_INTERMEDIATE as well (RFC 9242 section 3.3.2): who changes it on the way is found out.
#[test]
fn signatures_cover_an_additional_key_exchange() {
    let mut scene = Scene::new();
    scene.customer.kem = Some(Kem::MlKem768);
    scene.succeeds();

    let mut fleet = scene.fleet();
    let mut initiator = Initiator::new(scene.customer.clone(), 1);
    let init = initiator.start();
    let response = fleet.deliver(&init).remove(0);
    let intermediate = initiator.handle_datagram(&response.payload).unwrap();
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
        (&PKCS_ECDSA_P256_SHA256, &[3, 4, 5], false),
        (&PKCS_ECDSA_P384_SHA384, &[3], true),
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
fn a_peer_is_who_its_certificate_says() {
    let mut scene = Scene::new();
    let subject = scene.customer.certificates.as_ref().unwrap().subject();
    for id in [
        fqdn("CPE1.example"),
        Identity::Rfc822("router@CPE1.example".into()),
        Identity::Address([198, 51, 100, 1].into()),
        subject,
    ] {
        scene.name(id);
        scene.succeeds();
    }
    for id in [
        fqdn("cpe2.example"),
        // The common name of the organisation is no host.
        fqdn("Acme"),
        Identity::Rfc822("Router@cpe1.example".into()),
        Identity::Address([198, 51, 100, 2].into()),
        Identity::KeyId(b"cpe1.example".to_vec()),
        Identity::DistinguishedName(vec![0x30, 0]),
    ] {
        scene.name(id.clone());
        assert_eq!(scene.fault(), CertificateFault::OtherIdentity(id));
    }
    // It is in the certificate, but not where the peer is (RFC 4945 section 3.1.1).
    let address = [198, 51, 100, 99].into();
    scene.name(Identity::Address(address));
    assert_eq!(scene.fault(), CertificateFault::OtherAddress(address));
}

/// "Substring, wildcard, or regular expression matching MUST NOT be performed" (RFC 4945 section 3.1.2).
#[test]
fn wildcards_match_nothing() {
    let params = changed(leaf(CUSTOMER), |params| {
        params.subject_alt_names = vec![SanType::DnsName("*.example".try_into().unwrap())];
    });
    let mut scene = Scene::with(&params, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P256_SHA256);
    for name in [CUSTOMER, "*.example"] {
        scene.name(fqdn(name));
        assert_eq!(scene.fault(), CertificateFault::OtherIdentity(fqdn(name)));
    }
}

/// A name that an operator wrote finds the peer's own, whatever type its strings have.
#[test]
fn a_subject_is_found_by_a_name_of_other_strings() {
    /// "CN=cpe1.example" as a PrintableString.
    fn common_name(tag: u8, name: &str) -> Vec<u8> {
        let attribute = [
            &[0x06, 0x03, 0x55, 0x04, 0x03, tag, name.len() as u8],
            name.as_bytes(),
        ]
        .concat();
        let length = attribute.len() as u8;
        [
            &[0x30, length + 4, 0x31, length + 2, 0x30, length],
            &attribute[..],
        ]
        .concat()
    }
    let mut params = leaf(CUSTOMER);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Cpe  1");
    let mut scene = Scene::with(&params, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P256_SHA256);
    let utf8 = Identity::DistinguishedName(common_name(12, "Cpe  1"));
    assert_eq!(scene.customer.certificates.as_ref().unwrap().subject(), utf8);
    scene.customer.id = utf8;
    scene.tunnel.remote_id = Identity::DistinguishedName(common_name(19, "cpe 1"));
    scene.succeeds();
    // The peer itself has to send what stands in its certificate, bit by bit (RFC 4945 section 3.1.5).
    let other = Identity::DistinguishedName(common_name(19, "cpe 1"));
    scene.customer.id = other.clone();
    assert_eq!(scene.fault(), CertificateFault::OtherIdentity(other));
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
        error(|setup| setup.key = super::pki::key(&PKCS_ED25519).serialize_der()),
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
        assert_eq!(ours.check(&customer, &id), Ok(()));
    }
    for id in [
        fqdn("other.example"),
        Identity::Address([198, 51, 100, 2].into()),
        Identity::KeyId(vec![1]),
    ] {
        assert_eq!(ours.check(&customer, &id), Err(CredentialError::NotOurs(id)));
    }
    let key_id = Identity::KeyId(vec![1]);
    assert_eq!(
        ours.check(&key_id, &fqdn(FLEET)),
        Err(CredentialError::NotProvable(key_id.clone()))
    );
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
