//! Who a peer is, as it travels.

use super::endpoint::{address_octets, parse_address};
use crate::fields::required;
use crate::{Identity, Invalid, v1};

impl TryFrom<v1::Identity> for Identity {
    type Error = Invalid;

    fn try_from(wire: v1::Identity) -> Result<Self, Invalid> {
        use v1::identity::Kind;
        match required("kind", wire.kind)? {
            Kind::Address(octets) => parse_address("address", &octets).map(Self::Address),
            Kind::Fqdn(text) => Self::Fqdn(text).validated(),
            Kind::Rfc822(text) => Self::Rfc822(text).validated(),
            Kind::KeyId(octets) => Self::KeyId(octets).validated(),
            Kind::DistinguishedName(der) => Self::DistinguishedName(der).validated(),
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
