//! What an operator lets through a tunnel: `10.0.0.0/8`, or with a protocol and ports `10.0.0.0/8[tcp/8000-8080]`.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;

use crate::{Invalid, TrafficSelector};

/// IANA's numbers of what has a name here.
const PROTOCOLS: [(&str, u8); 6] = [
    ("icmp", 1),
    ("tcp", 6),
    ("udp", 17),
    ("gre", 47),
    ("ipv6-icmp", 58),
    ("sctp", 132),
];

/// A prefix on one side of a tunnel and what of it may pass. Its fields are private because they belong together: there
/// are no bits behind the prefix, no empty range, and no ports without a protocol that has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TunnelSelector {
    prefix: IpNet,
    protocol: u8,
    ports: (u16, u16),
}

impl TunnelSelector {
    /// Where it is.
    pub fn prefix(&self) -> IpNet {
        self.prefix
    }

    /// 0 for any.
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// First and last port, both included; 0 to 65535 for any.
    pub fn ports(&self) -> (u16, u16) {
        self.ports
    }

    /// True when a packet can have one end here and the other there.
    pub fn fits(&self, other: &Self) -> bool {
        let same_family = self.prefix.addr().is_ipv4() == other.prefix.addr().is_ipv4();
        let same_protocol = self.protocol == other.protocol || self.protocol == 0 || other.protocol == 0;
        same_family && same_protocol
    }
}

impl From<&TunnelSelector> for TrafficSelector {
    fn from(selector: &TunnelSelector) -> Self {
        Self::new(
            selector.protocol,
            selector.ports,
            selector.prefix.network(),
            selector.prefix.broadcast(),
        )
        .expect("a prefix ends after it begins, and so do the ports")
    }
}

impl FromStr for TunnelSelector {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (prefix, traffic) = match text.split_once('[') {
            None => (text, None),
            Some((prefix, rest)) => {
                let inside = rest.strip_suffix(']');
                let inside = inside.ok_or_else(|| Invalid::new("selector", text, "has no ] at its end"))?;
                (prefix, Some(inside))
            }
        };
        let (protocol, ports) = traffic.map_or(
            Ok((TrafficSelector::ANY_PROTOCOL, TrafficSelector::ANY_PORT)),
            parse_traffic,
        )?;
        Ok(Self {
            prefix: parse_prefix(prefix)?,
            protocol,
            ports,
        })
    }
}

fn parse_prefix(text: &str) -> Result<IpNet, Invalid> {
    let prefix = text
        .parse::<IpNet>()
        .map_err(|_| Invalid::new("prefix", text, "is not a prefix"))?;
    if prefix.trunc() != prefix {
        return Err(Invalid::new(
            "prefix",
            text,
            format!("has bits behind its length; {} would do", prefix.trunc()),
        ));
    }
    Ok(prefix)
}

/// What stands in the brackets.
fn parse_traffic(text: &str) -> Result<(u8, (u16, u16)), Invalid> {
    let (protocol, ports) = match text.split_once('/') {
        None => (text, None),
        Some((protocol, ports)) => (protocol, Some(ports)),
    };
    let number = match PROTOCOLS.iter().find(|(name, _)| *name == protocol) {
        Some((_, number)) => *number,
        None => parse_protocol(protocol)?,
    };
    let Some(ports) = ports else {
        return Ok((number, TrafficSelector::ANY_PORT));
    };
    if !TrafficSelector::has_ports(number) {
        return Err(Invalid::new("protocol", protocol, "has no ports"));
    }
    Ok((number, parse_ports(ports)?))
}

/// 0 would be any, which is said by leaving it out.
fn parse_protocol(text: &str) -> Result<u8, Invalid> {
    let number = text.parse().ok().filter(|number| *number != 0);
    number.ok_or_else(|| {
        let names = PROTOCOLS.map(|(name, _)| name).join(", ");
        Invalid::new(
            "protocol",
            text,
            format!("is neither a number (1 to 255) nor {names}"),
        )
    })
}

fn parse_ports(text: &str) -> Result<(u16, u16), Invalid> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok((first, last)),
        _ => Err(Invalid::new(
            "ports",
            text,
            "is neither a port nor a range of ports",
        )),
    }
}

impl fmt::Display for TunnelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.prefix.fmt(f)?;
        if self.protocol == 0 {
            return Ok(());
        }
        match PROTOCOLS.iter().find(|(_, number)| *number == self.protocol) {
            Some((name, _)) => write!(f, "[{name}")?,
            None => write!(f, "[{}", self.protocol)?,
        }
        match self.ports {
            TrafficSelector::ANY_PORT => {}
            (first, last) if first == last => write!(f, "/{first}")?,
            (first, last) => write!(f, "/{first}-{last}")?,
        }
        f.write_str("]")
    }
}
