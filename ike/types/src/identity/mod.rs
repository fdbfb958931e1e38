//! Who a peer is (RFC 7296 section 3.5).

mod name;

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A name one side proves to be its own (RFC 7296 section 3.5).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Identity {
    /// ID_IPV4_ADDR or ID_IPV6_ADDR.
    Address(IpAddr),
    /// ID_FQDN, compared without regard to ASCII case.
    Fqdn(String),
    /// ID_RFC822_ADDR.
    Rfc822(String),
    /// ID_KEY_ID, opaque bytes.
    KeyId(Vec<u8>),
    /// ID_DER_ASN1_DN, in DER.
    DistinguishedName(Vec<u8>),
}

impl Identity {
    /// True for the same name of the same kind.
    pub fn is_same(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }

    /// A form in which the same names are equal. Host names have no case (RFC 4343), and so have the domains of mail addresses.
    pub fn folded(&self) -> Self {
        match self {
            Self::Fqdn(name) => Self::Fqdn(name.to_ascii_lowercase()),
            Self::Rfc822(mail) => Self::Rfc822(match mail.rsplit_once('@') {
                Some((user, domain)) => format!("{user}@{}", domain.to_ascii_lowercase()),
                None => mail.clone(),
            }),
            // Another kind of string than in the peer's own name would be hard to see. What is no name is equal to itself.
            Self::DistinguishedName(der) => {
                Self::DistinguishedName(name::folded(der).unwrap_or_else(|| der.clone()))
            }
            Self::Address(_) | Self::KeyId(_) => self.clone(),
        }
    }
}

/// For logs: what a peer chose freely is escaped, opaque bytes are written in hex.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Fqdn(name) | Self::Rfc822(name) => write!(f, "{}", name.escape_debug()),
            Self::KeyId(octets) => write_hex(f, "key-id:", octets),
            Self::DistinguishedName(der) => match name::words(der) {
                Some(words) => f.write_str(&words),
                None => write_hex(f, "no-name:", der),
            },
        }
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, prefix: &str, octets: &[u8]) -> fmt::Result {
    f.write_str(prefix)?;
    octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fqdn(name: &str) -> Identity {
        Identity::Fqdn(name.into())
    }

    fn mail(name: &str) -> Identity {
        Identity::Rfc822(name.into())
    }

    #[test]
    fn identities_match_by_kind_and_by_the_rules_of_their_kind() {
        let address = Identity::Address("192.0.2.1".parse().unwrap());
        for (a, b, same) in [
            (fqdn("cpe.example"), fqdn("CPE.Example"), true),
            (fqdn("cpe.example"), fqdn("cpe.example."), false),
            (mail("Ann@Example.org"), mail("Ann@example.ORG"), true),
            (mail("Ann@example.org"), mail("ann@example.org"), false),
            (fqdn("a@b"), mail("a@b"), false),
            (
                Identity::KeyId(b"K".to_vec()),
                Identity::KeyId(b"K".to_vec()),
                true,
            ),
            (
                Identity::KeyId(b"K".to_vec()),
                Identity::KeyId(b"k".to_vec()),
                false,
            ),
            (address.clone(), address.clone(), true),
            (address, fqdn("192.0.2.1"), false),
        ] {
            assert_eq!(a.is_same(&b), same, "{a:?} {b:?}");
        }
    }
}
