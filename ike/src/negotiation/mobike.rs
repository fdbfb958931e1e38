//! What an INFORMATIONAL request says about addresses (MOBIKE, RFC 4555).

use std::net::{IpAddr, SocketAddr};

use crate::Path;
use crate::wire::{NotifyType, Payload};

/// Octets of the COOKIE2 that we send (RFC 4555 section 4.2.5 allows 8 to 64).
pub(crate) const COOKIE2_LEN: usize = 16;

/// The notifications of RFC 4555 in a request. Addresses that the peer has besides (ADDITIONAL_IP4_ADDRESS and its like)
/// are for a responder whose own address goes away, which the anycast address does not.
#[derive(Default)]
pub(crate) struct Addresses<'a> {
    /// UPDATE_SA_ADDRESSES: the addresses of this request are those to be used.
    pub(crate) update: bool,
    /// To be copied to the response (section 3.7).
    pub(crate) cookie2: Option<&'a [u8]>,
    /// The request has NAT_DETECTION payloads, so the response must have (section 3.8).
    pub(crate) detects_nat: bool,
    no_nats: Option<&'a [u8]>,
}

impl<'a> Addresses<'a> {
    pub(crate) fn read(payloads: &[Payload<'a>]) -> Self {
        let mut result = Self::default();
        for payload in payloads {
            let Payload::Notify(notify) = payload else {
                continue;
            };
            match notify.kind {
                NotifyType::UPDATE_SA_ADDRESSES => result.update = true,
                NotifyType::COOKIE2 => result.cookie2 = Some(notify.data),
                NotifyType::NO_NATS_ALLOWED => result.no_nats = Some(notify.data),
                NotifyType::NAT_DETECTION_SOURCE_IP => result.detects_nat = true,
                _ => {}
            }
        }
        result
    }

    /// True when the peer forbids NATs and there is one: the addresses that it names are not those that the request came
    /// with (section 3.9).
    pub(crate) fn is_changed(&self, path: Path) -> bool {
        self.no_nats
            .is_some_and(|named| named != no_nats_allowed(path.peer, path.local))
    }
}

/// The data of NO_NATS_ALLOWED: both addresses, both ports (section 4.2.6).
pub(crate) fn no_nats_allowed(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let mut data = Vec::with_capacity(36);
    for address in [source.ip(), destination.ip()] {
        match address {
            IpAddr::V4(ip) => data.extend(ip.octets()),
            IpAddr::V6(ip) => data.extend(ip.octets()),
        }
    }
    for port in [source.port(), destination.port()] {
        data.extend(port.to_be_bytes());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::unhex;

    /// The figure of section 4.2.6.
    #[test]
    fn no_nats_allowed_names_both_ends() {
        let data = |source: &str, destination: &str| {
            no_nats_allowed(source.parse().unwrap(), destination.parse().unwrap())
        };
        assert_eq!(
            data("192.0.2.1:500", "198.51.100.2:4500"),
            unhex("c0000201 c6336402 01f4 1194")
        );
        let v6 = data("[2001:db8::1]:4500", "[2001:db8::2]:4500");
        assert_eq!(v6.len(), 36);
        assert_eq!(v6[31..], unhex("02 1194 1194"));
    }
}
