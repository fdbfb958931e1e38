//! Who a peer is (RFC 7296 section 3.5).

mod distinguished_name;
mod same;
mod text;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{Invalid, limits};

/// A name one side of a tunnel proves to be its own (RFC 7296 section 3.5). As text: an address, `user@domain`, `keyid:` or
/// `key-id:` with hexadecimal octets, a distinguished name such as `C=CH, O=Acme, CN=cpe.example`, or a domain name.
///
/// Two identities are equal when they are the same name of the same kind, however it is written: domain names, the domains
/// of mail addresses, and the text in distinguished names have no case. The responder finds tunnels by this, and the
/// distributor lets no two tunnels have the same.
///
/// A peer may send anything in one; [`Identity::validated`] says what a tunnel can be for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Identity {
    /// ID_IPV4_ADDR or ID_IPV6_ADDR.
    Address(IpAddr),
    /// ID_FQDN.
    Fqdn(String),
    /// ID_RFC822_ADDR.
    Rfc822(String),
    /// ID_KEY_ID: opaque octets.
    KeyId(Vec<u8>),
    /// ID_DER_ASN1_DN, in DER: the subject of a certificate.
    DistinguishedName(Vec<u8>),
}

impl Identity {
    /// Refuses what no tunnel can be for, and so no record can hold. A domain name comes back in lower case.
    pub fn validated(self) -> Result<Self, Invalid> {
        match self {
            Self::Address(address) => Ok(Self::Address(address)),
            Self::Fqdn(name) => domain_name(&name),
            Self::Rfc822(mail) => mail_address(mail),
            Self::KeyId(octets) => key_id(octets),
            Self::DistinguishedName(der) => distinguished_name::check(der).map(Self::DistinguishedName),
        }
    }
}

fn domain_name(text: &str) -> Result<Identity, Invalid> {
    let allowed = |c: u8| c.is_ascii_graphic() && c != b'@' && c != b':';
    if text.is_empty() || text.len() > limits::IDENTITY || !text.bytes().all(allowed) {
        return Err(Invalid::new("fqdn", text, "is not a domain name"));
    }
    Ok(Identity::Fqdn(text.to_ascii_lowercase()))
}

fn mail_address(text: String) -> Result<Identity, Invalid> {
    let halves = text
        .split_once('@')
        .is_some_and(|(user, domain)| !user.is_empty() && !domain.is_empty());
    if !halves || text.len() > limits::IDENTITY || !text.bytes().all(|c| c.is_ascii_graphic()) {
        return Err(Invalid::new("rfc822", text, "is not an address like user@domain"));
    }
    Ok(Identity::Rfc822(text))
}

fn key_id(octets: Vec<u8>) -> Result<Identity, Invalid> {
    if octets.is_empty() || octets.len() > limits::IDENTITY {
        return Err(Invalid::new("key_id", octets, "is not 1 to 255 octets"));
    }
    Ok(Identity::KeyId(octets))
}
