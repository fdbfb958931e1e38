//! What travels inside a child SA (RFC 7296 section 3.13.1).

use std::net::IpAddr;

use crate::values::endpoint::{address_octets, parse_address, parse_port};
use crate::{Invalid, TunnelSelector, v1};

/// One range of addresses, protocol and ports. Its fields are private because they belong together: both addresses
/// are of one family, and no range is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrafficSelector {
    protocol: u8,
    ports: (u16, u16),
    first: IpAddr,
    last: IpAddr,
}

impl TrafficSelector {
    /// `protocol` 0 is any; `ports` and the addresses are first and last, both included; ports 0 to 65535 are any.
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
}

impl From<&TunnelSelector> for TrafficSelector {
    fn from(selector: &TunnelSelector) -> Self {
        Self {
            protocol: selector.protocol(),
            ports: selector.ports(),
            first: selector.prefix().network(),
            last: selector.prefix().broadcast(),
        }
    }
}

impl TryFrom<v1::TrafficSelector> for TrafficSelector {
    type Error = Invalid;

    fn try_from(wire: v1::TrafficSelector) -> Result<Self, Invalid> {
        let protocol = u8::try_from(wire.protocol)
            .map_err(|_| Invalid::new("protocol", wire.protocol, "is not an IP protocol (0 to 255)"))?;
        let ports = (
            parse_port("first_port", wire.first_port)?,
            parse_port("last_port", wire.last_port)?,
        );
        let first = parse_address("first_address", &wire.first_address)?;
        let last = parse_address("last_address", &wire.last_address)?;
        Self::new(protocol, ports, first, last)
    }
}

impl From<&TrafficSelector> for v1::TrafficSelector {
    fn from(selector: &TrafficSelector) -> Self {
        Self {
            protocol: selector.protocol.into(),
            first_port: selector.ports.0.into(),
            last_port: selector.ports.1.into(),
            first_address: address_octets(selector.first),
            last_address: address_octets(selector.last),
        }
    }
}
