//! What travels inside a child SA, as the schema has it.

use super::endpoint::{address_octets, parse_address, parse_port};
use crate::{Invalid, TrafficSelector, v1};

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
            protocol: selector.protocol().into(),
            first_port: selector.ports().0.into(),
            last_port: selector.ports().1.into(),
            first_address: address_octets(selector.first()),
            last_address: address_octets(selector.last()),
        }
    }
}
