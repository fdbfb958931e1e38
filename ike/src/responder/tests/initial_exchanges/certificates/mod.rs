//! IKE_AUTH by certificates (RFC 7427, RFC 4945).

mod credentials;
mod identities;
mod paths;
mod requests;
mod signatures;

use std::sync::atomic::Ordering;
use std::time::Duration;

use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, SanType, SignatureAlgorithm, date_time_ymd,
};

use x509_parser::prelude::FromDer;

use super::*;
use crate::responder::tests::pki::{Authority, Setup, changed, leaf};
use crate::testkit::{TestHost, UNIX_TIME};
use crate::wire::{Auth, Certificate};
use crate::{
    AuthRefusal, CertificateFault, CredentialError, Credentials, Identity, Kem, Limits, Ppk, Secret, Tunnel,
};

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
