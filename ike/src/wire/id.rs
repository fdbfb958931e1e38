//! IDi and IDr (RFC 7296 section 3.5).

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ike_types::limits;

use super::WireError;
use crate::Identity;

const ID_IPV4_ADDR: u8 = 1;
const ID_FQDN: u8 = 2;
const ID_RFC822_ADDR: u8 = 3;
const ID_IPV6_ADDR: u8 = 5;
const ID_DER_ASN1_DN: u8 = 9;
const ID_KEY_ID: u8 = 11;

/// Octets in front of the data: the type and three reserved ones.
const FIXED_LEN: usize = 4;

/// The body of an identification payload, kept as it was sent: AUTH covers it, reserved octets included
/// (RFC 7296 section 2.15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdPayload<'a>(Cow<'a, [u8]>);

impl<'a> IdPayload<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let ([kind, _, _, _], data) = body
            .split_first_chunk()
            .ok_or(WireError::Syntax("an ID is shorter than its fixed part"))?;
        match (*kind, data.len()) {
            (ID_IPV4_ADDR, 4) | (ID_IPV6_ADDR, 16) => {}
            (ID_IPV4_ADDR | ID_IPV6_ADDR, _) => {
                return Err(WireError::Syntax("an address in an ID has the wrong length"));
            }
            _ => {}
        }
        Ok(Self(Cow::Borrowed(body)))
    }

    /// The octets AUTH covers.
    pub(crate) fn body(&self) -> &[u8] {
        &self.0
    }

    /// `None` for a type not known here, and for a name that is not UTF-8 or too long: such a peer is nobody's customer,
    /// and what it calls itself is not worth 64 KiB of a log.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let (kind, data) = (*self.0.first()?, self.0.get(FIXED_LEN..)?);
        let max_len = match kind {
            ID_DER_ASN1_DN => limits::DISTINGUISHED_NAME,
            _ => limits::IDENTITY,
        };
        if data.len() > max_len {
            return None;
        }
        let text = || std::str::from_utf8(data).ok().map(str::to_owned);
        match kind {
            ID_IPV4_ADDR => <[u8; 4]>::try_from(data)
                .ok()
                .map(|octets| Identity::Address(Ipv4Addr::from(octets).into())),
            ID_IPV6_ADDR => <[u8; 16]>::try_from(data)
                .ok()
                .map(|octets| Identity::Address(Ipv6Addr::from(octets).into())),
            ID_FQDN => text().map(Identity::Fqdn),
            ID_RFC822_ADDR => text().map(Identity::Rfc822),
            ID_DER_ASN1_DN => Some(Identity::DistinguishedName(data.to_vec())),
            ID_KEY_ID => Some(Identity::KeyId(data.to_vec())),
            _ => None,
        }
    }
}

impl From<&Identity> for IdPayload<'static> {
    fn from(identity: &Identity) -> Self {
        let with_kind = |kind: u8, data: &[u8]| Self(Cow::Owned([&[kind, 0, 0, 0], data].concat()));
        match identity {
            Identity::Address(IpAddr::V4(address)) => with_kind(ID_IPV4_ADDR, &address.octets()),
            Identity::Address(IpAddr::V6(address)) => with_kind(ID_IPV6_ADDR, &address.octets()),
            Identity::Fqdn(name) => with_kind(ID_FQDN, name.as_bytes()),
            Identity::Rfc822(name) => with_kind(ID_RFC822_ADDR, name.as_bytes()),
            Identity::DistinguishedName(der) => with_kind(ID_DER_ASN1_DN, der),
            Identity::KeyId(octets) => with_kind(ID_KEY_ID, octets),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_tunnel_can_have_is_none() {
        for (kind, max_len) in [
            (ID_FQDN, limits::IDENTITY),
            (ID_RFC822_ADDR, limits::IDENTITY),
            (ID_KEY_ID, limits::IDENTITY),
            (ID_DER_ASN1_DN, limits::DISTINGUISHED_NAME),
        ] {
            let named = |length| {
                let body = [&[kind, 0, 0, 0][..], &vec![b'a'; length]].concat();
                IdPayload::decode(&body).unwrap().identity().is_some()
            };
            assert!(named(max_len));
            assert!(!named(max_len + 1));
        }
    }
}
