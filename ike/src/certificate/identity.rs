//! Whom a certificate is for (RFC 4945 section 3.1): exact matches only, of the one place where names of a kind stand.

use std::net::IpAddr;

use ike_types::der::{SEQUENCE, element};
use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::Identity;

/// Whether the certificate names `identity`. A wildcard is a name like any other, so it matches no host, and a common
/// name is never taken for one (RFC 4945 sections 3.1.2 and 3.1.9).
pub(super) fn is_for(certificate: &CertificateDer<'_>, identity: &Identity) -> bool {
    match identity {
        // "Entire Subject, bitwise compare".
        Identity::DistinguishedName(name) => subject(certificate).is_some_and(|subject| subject == *name),
        Identity::KeyId(_) => false,
        Identity::Address(_) | Identity::Fqdn(_) | Identity::Rfc822(_) => {
            alternative_names(certificate).iter().any(|name| name == identity)
        }
    }
}

/// The names of subjectAltName that could be a peer's. None when the extension is malformed or there twice.
fn alternative_names(certificate: &CertificateDer<'_>) -> Vec<Identity> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter();
    names.filter_map(alternative_name).collect()
}

fn alternative_name(name: &GeneralName<'_>) -> Option<Identity> {
    match name {
        GeneralName::DNSName(name) if !name.contains('*') => Some(Identity::Fqdn((*name).to_owned())),
        GeneralName::RFC822Name(mail) => Some(Identity::Rfc822((*mail).to_owned())),
        GeneralName::IPAddress(octets) => address(octets).map(Identity::Address),
        _ => None,
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
        .ok()
}

/// The subject of a certificate, `None` when it has none (RFC 4945 section 3.1.5: an empty one is no identity).
pub(super) fn subject(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let inside = certificate.subject();
    // webpki leaves tag and length out.
    (!inside.is_empty()).then(|| element(SEQUENCE, inside))
}
