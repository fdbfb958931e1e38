//! Certificates for the members of the fleet.

use std::net::IpAddr;
use std::str::FromStr;

use distributor_client::Role;
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::PkiError;
use super::authority::{Authority, CLOCK_SKEW, Pem};

/// Two years: `pki issue` into a new directory and a restart replace a certificate without losing a packet.
const VALIDITY: Duration = Duration::days(730);

/// Where a distributor is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
    /// A host name.
    Name(Ia5String),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len()) && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        match Ia5String::try_from(text) {
            Ok(name) if text.split('.').all(label) => Ok(Self::Name(name)),
            _ => Err("neither an IP address nor a host name (give no port)".to_owned()),
        }
    }
}

/// A new key, and a certificate for it that says what its holder may do.
pub(super) fn issue(authority: &Authority, role: &Role, addresses: &[Address]) -> Result<Pem, PkiError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, role.name().as_str());
    params.not_before = OffsetDateTime::now_utc() - CLOCK_SKEW;
    params.not_after = OffsetDateTime::now_utc() + VALIDITY;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = extended_key_usages(role);
    params
        .subject_alt_names
        .push(SanType::URI(Ia5String::try_from(role.to_uri())?));
    params
        .subject_alt_names
        .extend(addresses.iter().map(|address| match address {
            Address::Ip(address) => SanType::IpAddress(*address),
            Address::Name(name) => SanType::DnsName(name.clone()),
        }));
    let certificate_pem = params.signed_by(&key, authority)?.pem();
    Ok(Pem {
        certificate_pem,
        key_pem: Zeroizing::new(key.serialize_pem()),
    })
}

/// Only a distributor's certificate serves as a server's, so that no edge can pose as the distributor. A distributor
/// may also be the client of another one.
fn extended_key_usages(role: &Role) -> Vec<ExtendedKeyUsagePurpose> {
    match role {
        Role::Edge(_) | Role::Operator(_) => vec![ExtendedKeyUsagePurpose::ClientAuth],
        Role::Distributor(_) => {
            vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ]
        }
    }
}
