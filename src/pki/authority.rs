//! The fleet's certificate authority.

use std::path::Path;

use proto::Name;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::PkiError;

/// Ten years: replacing an authority means visiting every machine of the fleet.
const VALIDITY: Duration = Duration::days(3652);
/// A machine whose clock is a little late accepts a new certificate all the same.
pub(super) const CLOCK_SKEW: Duration = Duration::hours(1);

/// A certificate and its private key, as the text of their files.
pub(super) struct Pem {
    pub(super) certificate_pem: String,
    pub(super) key_pem: Zeroizing<String>,
}

/// Signs certificates.
pub(super) type Authority = Issuer<'static, KeyPair>;

/// A new authority for the fleet of this name.
pub(super) fn create(fleet: &Name) -> Result<Pem, PkiError> {
    let key = KeyPair::generate()?; // ECDSA on P-256 with SHA-256
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("anyswan fleet {fleet}"));
    params.not_before = OffsetDateTime::now_utc() - CLOCK_SKEW;
    params.not_after = OffsetDateTime::now_utc() + VALIDITY;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)); // It signs no further authorities.
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate_pem = params.self_signed(&key)?.pem();
    Ok(Pem {
        certificate_pem,
        key_pem: Zeroizing::new(key.serialize_pem()),
    })
}

/// The authority that [`create`] made.
pub(super) fn load(certificate: &Path, key: &Path) -> Result<Authority, PkiError> {
    let key_pem = files::read_secret(key)?;
    let key_pair =
        KeyPair::from_pem(&key_pem).map_err(|error| PkiError::BadAuthority(key.to_owned(), error))?;
    let certificate_pem = files::read_text(certificate)?;
    Issuer::from_ca_cert_pem(&certificate_pem, key_pair)
        .map_err(|error| PkiError::BadAuthority(certificate.to_owned(), error))
}
