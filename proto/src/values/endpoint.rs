//! Addresses and ports on the wire.

use std::net::{IpAddr, SocketAddr};

use crate::{Invalid, v1};

/// An address is its 4 or 16 octets.
pub(crate) fn parse_address(field: &str, octets: &[u8]) -> Result<IpAddr, Invalid> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Ok(IpAddr::from(v4));
    }
    match <[u8; 16]>::try_from(octets) {
        Ok(v6) => Ok(IpAddr::from(v6)),
        Err(_) => Err(Invalid::new(field, octets, "is not an address of 4 or 16 octets")),
    }
}

/// An address as the schema has it.
pub fn address_octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// A port, or an end of a range of ports.
pub(crate) fn parse_port(field: &str, port: u32) -> Result<u16, Invalid> {
    u16::try_from(port).map_err(|_| Invalid::new(field, port, "is not a port (0 to 65535)"))
}

/// One place to send to: port 0, "any address" and multicast are none.
impl TryFrom<v1::Endpoint> for SocketAddr {
    type Error = Invalid;

    fn try_from(wire: v1::Endpoint) -> Result<Self, Invalid> {
        let address = parse_address("address", &wire.address)?;
        let port = parse_port("port", wire.port)?;
        if address.is_unspecified() || address.is_multicast() {
            return Err(Invalid::new("address", address, "is not one host's address"));
        }
        if port == 0 {
            return Err(Invalid::new("port", port, "is not a port to send to"));
        }
        Ok(Self::new(address, port))
    }
}

/// A flow label or scope of an IPv6 address means nothing on another machine and is not sent.
impl From<SocketAddr> for v1::Endpoint {
    fn from(endpoint: SocketAddr) -> Self {
        Self {
            address: address_octets(endpoint.ip()),
            port: endpoint.port().into(),
        }
    }
}
