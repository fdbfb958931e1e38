//! Who a peer is (RFC 7296 section 3.5).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::invalid::required;
use crate::values::endpoint::{address_octets, parse_address};
use crate::{Invalid, distinguished_name, limits, v1};

/// A name one side of a tunnel proves to be its own. As text: an address, `user@domain`, `keyid:` with hexadecimal
/// octets, a distinguished name such as `C=CH, O=Acme, CN=cpe.example`, or a domain name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// ID_IPV4_ADDR or ID_IPV6_ADDR.
    Address(IpAddr),
    /// ID_FQDN: compared without regard to case, so kept in lower case.
    Fqdn(String),
    /// ID_RFC822_ADDR.
    Rfc822(String),
    /// ID_KEY_ID: opaque octets.
    KeyId(Vec<u8>),
    /// ID_DER_ASN1_DN, in DER: the subject of a certificate.
    DistinguishedName(Vec<u8>),
}

const KEY_ID_PREFIX: &str = "keyid:";

impl Identity {
    fn fqdn(text: &str) -> Result<Self, Invalid> {
        let allowed = |c: u8| c.is_ascii_graphic() && c != b'@' && c != b':';
        if text.is_empty() || text.len() > limits::IDENTITY || !text.bytes().all(allowed) {
            return Err(Invalid::new("fqdn", text, "is not a domain name"));
        }
        Ok(Self::Fqdn(text.to_ascii_lowercase()))
    }

    fn rfc822(text: &str) -> Result<Self, Invalid> {
        let halves = text
            .split_once('@')
            .is_some_and(|(user, domain)| !user.is_empty() && !domain.is_empty());
        if !halves || text.len() > limits::IDENTITY || !text.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(Invalid::new("rfc822", text, "is not an address like user@domain"));
        }
        Ok(Self::Rfc822(text.to_owned()))
    }

    fn key_id(octets: Vec<u8>) -> Result<Self, Invalid> {
        if octets.is_empty() || octets.len() > limits::IDENTITY {
            return Err(Invalid::new("key_id", octets, "is not 1 to 255 octets"));
        }
        Ok(Self::KeyId(octets))
    }
}

impl FromStr for Identity {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        if let Some(digits) = text.strip_prefix(KEY_ID_PREFIX) {
            let octets =
                from_hex(digits).ok_or_else(|| Invalid::new("key_id", digits, "is not hexadecimal"))?;
            return Self::key_id(octets);
        }
        if distinguished_name::is_like(text) {
            return distinguished_name::parse(text).map(Self::DistinguishedName);
        }
        if text.contains('@') {
            return Self::rfc822(text);
        }
        // What an operator wrote: an address with a slip in it, or a wildcard, which would match nobody.
        let is_slip = text.contains(['*', '%', '/']) || text.bytes().all(|c| c.is_ascii_digit() || c == b'.');
        match is_slip {
            true => Err(Invalid::new("identity", text, "is neither an address nor a name")),
            false => Self::fqdn(text),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Fqdn(text) | Self::Rfc822(text) => f.write_str(text),
            Self::KeyId(octets) => {
                f.write_str(KEY_ID_PREFIX)?;
                octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
            Self::DistinguishedName(der) => distinguished_name::write(der, f),
        }
    }
}

impl TryFrom<v1::Identity> for Identity {
    type Error = Invalid;

    fn try_from(wire: v1::Identity) -> Result<Self, Invalid> {
        use v1::identity::Kind;
        match required("kind", wire.kind)? {
            Kind::Address(octets) => parse_address("address", &octets).map(Self::Address),
            Kind::Fqdn(text) => Self::fqdn(&text),
            Kind::Rfc822(text) => Self::rfc822(&text),
            Kind::KeyId(octets) => Self::key_id(octets),
            Kind::DistinguishedName(der) => distinguished_name::check(der).map(Self::DistinguishedName),
        }
    }
}

impl From<&Identity> for v1::Identity {
    fn from(identity: &Identity) -> Self {
        use v1::identity::Kind;
        let kind = match identity {
            Identity::Address(address) => Kind::Address(address_octets(*address)),
            Identity::Fqdn(text) => Kind::Fqdn(text.clone()),
            Identity::Rfc822(text) => Kind::Rfc822(text.clone()),
            Identity::KeyId(octets) => Kind::KeyId(octets.clone()),
            Identity::DistinguishedName(der) => Kind::DistinguishedName(der.clone()),
        };
        Self { kind: Some(kind) }
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let nibbles: Vec<u8> = digits
        .chars()
        .map(|c| c.to_digit(16).map(|n| n as u8))
        .collect::<Option<_>>()?;
    nibbles
        .len()
        .is_multiple_of(2)
        .then(|| nibbles.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
