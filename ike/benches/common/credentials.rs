//! Certificates for both sides.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
};
use rustls_pki_types::PrivatePkcs8KeyDer;

use crate::case::{CUSTOMER, FLEET};

/// ring makes no RSA keys, so everybody has this one: whose it is makes no difference to what it costs.
const RSA_KEY: &[u8] = include_bytes!("../../src/responder/tests/rsa2048.pkcs8");

/// What signs, certificates as well as AUTH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    EcdsaP256,
    Rsa2048,
}

/// What one side proves with who it is: DER.
pub(crate) struct Side {
    pub(crate) certificate: Vec<u8>,
    /// PKCS#8.
    pub(crate) key: Vec<u8>,
}

/// Both sides, and whom they believe.
pub(crate) struct Sides {
    pub(crate) authority: Vec<u8>,
    pub(crate) customer: Side,
    pub(crate) fleet: Side,
}

impl Sides {
    pub(crate) fn new(kind: KeyKind) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, key(kind)).expect("well formed");
        let side = |host: &str| {
            let key = key(kind);
            let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
            params.distinguished_name.push(DnType::CommonName, host);
            let certificate = params.signed_by(&key, &authority).expect("well formed");
            Side {
                certificate: certificate.der().to_vec(),
                key: key.serialize_der(),
            }
        };
        Self {
            customer: side(CUSTOMER),
            fleet: side(FLEET),
            authority: authority.der().to_vec(),
        }
    }
}

fn key(kind: KeyKind) -> KeyPair {
    let key = match kind {
        KeyKind::EcdsaP256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        KeyKind::Rsa2048 => {
            KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(RSA_KEY), &PKCS_RSA_SHA256)
        }
    };
    key.expect("of a known kind")
}
