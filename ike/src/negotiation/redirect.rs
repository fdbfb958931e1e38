//! To another gateway (RFC 5685): what the notifications say.
//!
//! A customer is redirected in IKE_AUTH or later, when it is known whose it is. The anycast address stays what customers
//! begin with: section 4, which has every IKE_SA_INIT to such an address redirected to a unicast one, is for gateways that
//! share nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::{NotifyType, Payload};
use crate::{Gateway, Tunnel};

/// GW Ident Types (section 9.2).
const IPV4: u8 = 1;
const IPV6: u8 = 2;
const FQDN: u8 = 3;

/// The data of REDIRECT (section 9.2), whose nonce is for IKE_SA_INIT alone, and of REDIRECTED_FROM (section 9.3).
pub(crate) fn data(gateway: &Gateway) -> Vec<u8> {
    let (kind, identity) = match gateway {
        Gateway::Address(IpAddr::V4(ip)) => (IPV4, ip.octets().to_vec()),
        Gateway::Address(IpAddr::V6(ip)) => (IPV6, ip.octets().to_vec()),
        Gateway::Name(name) => (FQDN, name.as_bytes().to_vec()),
    };
    // No domain name is longer than its length can tell.
    let mut data = vec![kind, identity.len() as u8];
    data.extend(identity);
    data
}

/// What an IKE_SA_INIT request says about redirects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redirects {
    /// The peer follows them.
    pub(crate) followed: bool,
    /// The gateway that has sent it here.
    pub(crate) from: Option<IpAddr>,
}

impl Redirects {
    /// REDIRECTED_FROM too is "indicating support for the redirect mechanism" (section 9.3).
    pub(crate) fn read(payloads: &[Payload<'_>]) -> Self {
        let followed = [NotifyType::REDIRECT_SUPPORTED, NotifyType::REDIRECTED_FROM];
        Self {
            followed: followed.iter().any(|kind| kind.is_in(payloads)),
            from: NotifyType::REDIRECTED_FROM
                .all_data_in(payloads)
                .find_map(redirected_from),
        }
    }
}

/// The gateway that the peer comes from, by the data of REDIRECTED_FROM (section 9.3); `None` when that is malformed.
fn redirected_from(data: &[u8]) -> Option<IpAddr> {
    match data {
        [IPV4, 4, octets @ ..] => Some(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).into()),
        [IPV6, 16, octets @ ..] => Some(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).into()),
        _ => None,
    }
}

impl Tunnel {
    /// Where a peer is to go that has come to the address `here`: nowhere if that is the gateway it shall go to, which may be
    /// another address of the fleet.
    pub(crate) fn redirect_from(&self, here: IpAddr) -> Option<&Gateway> {
        self.redirect
            .as_ref()
            .filter(|gateway| **gateway != Gateway::Address(here))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::unhex;

    #[test]
    fn gateways_are_written_by_their_kind() {
        let address = |text: &str| data(&Gateway::Address(text.parse().unwrap()));
        assert_eq!(address("192.0.2.1"), unhex("01 04 c0000201"));
        assert_eq!(
            address("2001:db8::1"),
            unhex("02 10 20010db8 00000000 00000000 00000001")
        );
        let name = data(&Gateway::Name("gw.example".into()));
        assert_eq!(name, [&[3, 10][..], b"gw.example"].concat());
    }

    #[test]
    fn addresses_are_read_and_nothing_else() {
        for (data, expected) in [
            ("01 04 c0000201", Some("192.0.2.1")),
            ("02 10 20010db8 00000000 00000000 00000001", Some("2001:db8::1")),
            ("03 01 61", None),
            ("01 04 c00002", None),
            ("01 05 c000020100", None),
            ("02 04 c0000201", None),
            ("01", None),
            ("", None),
        ] {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(redirected_from(&unhex(data)), expected, "{data}");
        }
    }
}
