//! Authorities and certificates for tests.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RevokedCertParams,
    SanType, SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use rustls_pki_types::PrivatePkcs8KeyDer;

use crate::{Certificates, CredentialError, Secret};

/// RSA keys take long to make.
const RSA_KEY: &[u8] = include_bytes!("rsa2048.pkcs8");

/// A key of that kind.
pub(super) fn key(kind: &'static SignatureAlgorithm) -> KeyPair {
    match kind == &PKCS_RSA_SHA256 {
        true => KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(RSA_KEY), &PKCS_RSA_SHA256)
            .unwrap(),
        false => KeyPair::generate_for(kind).unwrap(),
    }
}

/// One that issues certificates.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A trust anchor.
    pub(super) fn root(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(Self::params(name), key(&PKCS_ECDSA_P256_SHA256)).unwrap())
    }

    /// One below this one.
    pub(super) fn intermediate(&self, name: &str) -> Self {
        self.intermediate_with(Self::params(name))
    }

    pub(super) fn intermediate_with(&self, params: CertificateParams) -> Self {
        Self(CertifiedIssuer::signed_by(params, key(&PKCS_ECDSA_P256_SHA256), &self.0).unwrap())
    }

    pub(super) fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }

    pub(super) fn der(&self) -> Vec<u8> {
        self.0.der().to_vec()
    }

    /// A certificate for the key.
    pub(super) fn issue(&self, params: &CertificateParams, key: &KeyPair) -> Vec<u8> {
        params.signed_by(key, &self.0).unwrap().der().to_vec()
    }

    /// The certificates with these serial numbers are revoked; the list runs out at the end of that year.
    pub(super) fn crl(&self, serials: &[u64], year: i32) -> Vec<u8> {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(year, 12, 31),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().der().to_vec()
    }
}

/// A certificate's contents: serial number 7, a name of each kind.
pub(super) fn leaf(host: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.subject_alt_names.extend([
        SanType::Rfc822Name(format!("router@{host}").try_into().unwrap()),
        SanType::IpAddress([198, 51, 100, 1].into()),
        SanType::IpAddress([198, 51, 100, 99].into()),
    ]);
    params.distinguished_name.push(DnType::OrganizationName, "Acme");
    params.distinguished_name.push(DnType::CommonName, host);
    params.serial_number = Some(SerialNumber::from(7));
    params
}

/// The same with a change.
pub(super) fn changed(
    mut params: CertificateParams,
    change: impl FnOnce(&mut CertificateParams),
) -> CertificateParams {
    change(&mut params);
    params
}

/// What one side is set up with.
pub(super) struct Setup {
    pub(super) anchors: Vec<Vec<u8>>,
    pub(super) crls: Vec<Vec<u8>>,
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) key: Vec<u8>,
}

impl Setup {
    /// With a key of that kind, and a certificate that `issuer` makes of `params`, believing `anchor`.
    pub(super) fn new(
        anchor: &Authority,
        issuer: &Authority,
        params: &CertificateParams,
        kind: &'static SignatureAlgorithm,
    ) -> Self {
        let key = key(kind);
        Self {
            anchors: vec![anchor.der()],
            crls: Vec::new(),
            chain: vec![issuer.issue(params, &key)],
            key: key.serialize_der(),
        }
    }

    pub(super) fn try_build(&self) -> Result<Certificates, CredentialError> {
        Certificates::new(
            &self.anchors,
            &self.crls,
            &self.chain,
            &Secret::new(self.key.clone()),
        )
    }

    pub(super) fn build(&self) -> Arc<Certificates> {
        Arc::new(self.try_build().unwrap())
    }
}
