//! Addresses as xfrm's messages have them.

use std::net::IpAddr;

use netlink_packet_xfrm::Address;
use netlink_packet_xfrm::constants::{AF_INET, AF_INET6};

pub(crate) fn family(address: IpAddr) -> u16 {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

/// `None` for a family that xfrm does not know.
pub(crate) fn ip(address: &Address, family: u16) -> Option<IpAddr> {
    match family {
        AF_INET => Some(address.to_ipv4().into()),
        AF_INET6 => Some(address.to_ipv6().into()),
        _ => None,
    }
}
