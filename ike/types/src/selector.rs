//! What travels inside a child SA (RFC 7296 section 3.13.1).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// One range of addresses, protocol and ports. Its fields are private because they belong together: both addresses are of
/// one family, and no range is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct TrafficSelector {
    protocol: u8,
    ports: (u16, u16),
    first: IpAddr,
    last: IpAddr,
}

/// What a snapshot holds in the place of a selector.
#[derive(Deserialize)]
struct Unchecked {
    protocol: u8,
    ports: (u16, u16),
    first: IpAddr,
    last: IpAddr,
}

/// What Linux finds ports in: TCP, UDP, DCCP, SCTP, UDP-Lite. ICMP's type and code, which could stand in the place of ports
/// (RFC 4301 section 4.4.1.1), are not selected by.
const WITH_PORTS: [u8; 5] = [6, 17, 33, 132, 136];

impl TrafficSelector {
    /// No protocol in particular.
    pub const ANY_PROTOCOL: u8 = 0;

    /// Every port.
    pub const ANY_PORT: (u16, u16) = (0, u16::MAX);

    /// `protocol` is [`Self::ANY_PROTOCOL`] or a number of IANA's; `ports` and the addresses are first and last, both
    /// included.
    pub fn new(protocol: u8, ports: (u16, u16), first: IpAddr, last: IpAddr) -> Result<Self, Invalid> {
        if ports.0 > ports.1 {
            return Err(Invalid::new(
                "last_port",
                ports.1,
                format!("is before the first port, {}", ports.0),
            ));
        }
        if first.is_ipv4() != last.is_ipv4() {
            return Err(Invalid::new(
                "last_address",
                last,
                format!("is not of the family of the first, {first}"),
            ));
        }
        if first > last {
            return Err(Invalid::new(
                "last_address",
                last,
                format!("is before the first address, {first}"),
            ));
        }
        Ok(Self {
            protocol,
            ports,
            first,
            last,
        })
    }

    /// 0 for any.
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// First and last port, both included; 0 to 65535 for any.
    pub fn ports(&self) -> (u16, u16) {
        self.ports
    }

    /// First address; of the same family as the last.
    pub fn first(&self) -> IpAddr {
        self.first
    }

    /// Last address, included.
    pub fn last(&self) -> IpAddr {
        self.last
    }

    /// True when its addresses are of IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.first.is_ipv4()
    }

    /// True for a protocol in whose packets ports can be told apart.
    pub fn has_ports(protocol: u8) -> bool {
        WITH_PORTS.contains(&protocol)
    }
}

impl TryFrom<Unchecked> for TrafficSelector {
    type Error = Invalid;

    fn try_from(read: Unchecked) -> Result<Self, Invalid> {
        Self::new(read.protocol, read.ports, read.first, read.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_range_is_empty_and_none_of_two_families() {
        let new = |ports, first: &str, last: &str| {
            TrafficSelector::new(6, ports, first.parse().unwrap(), last.parse().unwrap())
                .map_err(|error| error.to_string())
        };
        assert!(new((80, 80), "10.0.0.1", "10.0.0.1").is_ok());
        for (ports, first, last, error) in [
            (
                (2, 1),
                "10.0.0.1",
                "10.0.0.1",
                "last_port: 1 is before the first port, 2",
            ),
            (
                (0, 1),
                "10.0.0.2",
                "10.0.0.1",
                "last_address: 10.0.0.1 is before the first address, 10.0.0.2",
            ),
            (
                (0, 1),
                "10.0.0.1",
                "::1",
                "last_address: ::1 is not of the family of the first, 10.0.0.1",
            ),
        ] {
            assert_eq!(new(ports, first, last), Err(error.to_owned()));
        }
    }

    #[test]
    fn what_is_read_back_is_checked_too() {
        let read = |first: [u8; 4], last: [u8; 4]| {
            let fields = (6_u8, (0_u16, 9_u16), IpAddr::from(first), IpAddr::from(last));
            postcard::from_bytes::<TrafficSelector>(&postcard::to_stdvec(&fields).unwrap())
        };
        let selector = read([10, 0, 0, 1], [10, 0, 0, 2]).unwrap();
        let octets = postcard::to_stdvec(&selector).unwrap();
        assert_eq!(postcard::from_bytes(&octets), Ok(selector));
        assert!(read([10, 0, 0, 2], [10, 0, 0, 1]).is_err());
    }
}
