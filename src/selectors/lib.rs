//! From IKE's traffic selectors, which are ranges of addresses and ports (RFC 7296 section 3.13.1), to the kernel's, which
//! are prefixes and masked ports. Edges need the pairs; `tunnel add` needs to know that there are not too many.

#![forbid(unsafe_code)]
#![warn(
    clippy::iter_over_hash_type,
    clippy::unwrap_in_result,
    clippy::wildcard_enum_match_arm
)]

use std::net::IpAddr;

use ike_types::TrafficSelector;
use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};
use thiserror::Error;

/// Selectors of one child SA; each costs the kernel three policies.
const MOST: usize = 256;

/// What a kernel matches by: packets between the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Behind the fleet.
    pub local: Side,
    /// Behind the customer.
    pub remote: Side,
    /// IP protocol; 0 for any.
    pub protocol: u8,
}

/// One side of a [`Pair`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Its addresses.
    pub prefix: IpNet,
    /// Its ports.
    pub ports: Ports,
}

/// All ports that agree with `port` in the bits of `mask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Has no bits outside the mask.
    pub port: u16,
    /// 0 for any port, 0xffff for one.
    pub mask: u16,
}

/// Why the kernel cannot have the selectors of a child SA.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Unsupported {
    /// Too many prefixes and ports against too many.
    #[error("traffic selectors that make more than {MOST} pairs of prefixes and masked ports")]
    TooMany,
    /// The sides differ in family or protocol.
    #[error("no traffic selector of one side that fits one of the other")]
    NoPair,
}

/// Every pair of what is behind the fleet and what is behind the customer that can talk to each other.
pub fn pairs(local: &[TrafficSelector], remote: &[TrafficSelector]) -> Result<Vec<Pair>, Unsupported> {
    let mut selectors = Vec::new();
    for local in local {
        for remote in remote {
            pair(local, remote, &mut selectors)?;
        }
    }
    if selectors.is_empty() {
        return Err(Unsupported::NoPair);
    }
    Ok(selectors)
}

fn pair(
    local: &TrafficSelector,
    remote: &TrafficSelector,
    selectors: &mut Vec<Pair>,
) -> Result<(), Unsupported> {
    // Before they are taken apart: a customer can have thousands of prefixes of either family that fit none of the other.
    if local.first().is_ipv4() != remote.first().is_ipv4() {
        return Ok(());
    }
    let Some(protocol) = common_protocol(local.protocol(), remote.protocol()) else {
        return Ok(());
    };
    for local in masked(local) {
        for remote in masked(remote) {
            if selectors.len() == MOST {
                return Err(Unsupported::TooMany);
            }
            selectors.push(Pair {
                local,
                remote,
                protocol,
            });
        }
    }
    Ok(())
}

/// The fewest pairs of a prefix and masked ports that are the selector.
fn masked(selector: &TrafficSelector) -> impl Iterator<Item = Side> {
    let (first, last) = selector.ports();
    prefixes(selector.first(), selector.last())
        .flat_map(move |prefix| port_masks(first, last).map(move |ports| Side { prefix, ports }))
}

/// 0 is any protocol; `None` when there is none in common.
fn common_protocol(local: u8, remote: u8) -> Option<u8> {
    match (local, remote) {
        (0, protocol) | (protocol, 0) => Some(protocol),
        (local, remote) => (local == remote).then_some(local),
    }
}

/// The fewest masked ports that are the range: at most 30.
fn port_masks(first: u16, last: u16) -> impl Iterator<Item = Ports> {
    let mut rest = Some(first);
    std::iter::from_fn(move || {
        let port = rest.filter(|port| *port <= last)?;
        // As many as the port's low zeros allow, and no more than there are.
        let aligned = port.trailing_zeros();
        let left = (u32::from(last - port) + 1).ilog2();
        let size = 1_u32 << aligned.min(left);
        rest = u16::try_from(u32::from(port) + size).ok();
        let mask = !((size - 1) as u16);
        Some(Ports { port, mask })
    })
}

/// The fewest prefixes that are the range: at most 62 for IPv4 and 254 for IPv6. Empty for two families.
fn prefixes(first: IpAddr, last: IpAddr) -> Box<dyn Iterator<Item = IpNet>> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Box::new(IpSubnets::V4(Ipv4Subnets::new(first, last, 0))),
        (IpAddr::V6(first), IpAddr::V6(last)) => Box::new(IpSubnets::V6(Ipv6Subnets::new(first, last, 0))),
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Ports = Ports { port: 0, mask: 0 };
    const ANY_PORT: (u16, u16) = (0, 65_535);

    fn selector(protocol: u8, ports: (u16, u16), first: &str, last: &str) -> TrafficSelector {
        TrafficSelector::new(protocol, ports, first.parse().unwrap(), last.parse().unwrap()).unwrap()
    }

    fn any(first: &str, last: &str) -> TrafficSelector {
        selector(0, ANY_PORT, first, last)
    }

    fn lines(pairs: &[Pair]) -> Vec<String> {
        pairs
            .iter()
            .map(|pair| format!("{} {}", pair.local.prefix, pair.remote.prefix))
            .collect()
    }

    #[test]
    fn a_prefix_stays_one_and_a_range_becomes_several() {
        let local = [any("0.0.0.0", "255.255.255.255")];
        let remote = [any("10.0.0.0", "10.0.0.255"), any("10.1.0.1", "10.1.0.4")];
        let pairs = pairs(&local, &remote).unwrap();
        assert_eq!(
            lines(&pairs),
            [
                "0.0.0.0/0 10.0.0.0/24",
                "0.0.0.0/0 10.1.0.1/32",
                "0.0.0.0/0 10.1.0.2/31",
                "0.0.0.0/0 10.1.0.4/32"
            ]
        );
        assert!(
            pairs
                .iter()
                .all(|pair| pair.protocol == 0 && pair.local.ports == ANY)
        );
    }

    #[test]
    fn families_do_not_mix() {
        let both = [any("10.0.0.0", "10.0.0.255"), any("2001:db8::", "2001:db8::ffff")];
        assert_eq!(
            lines(&pairs(&both, &both).unwrap()),
            ["10.0.0.0/24 10.0.0.0/24", "2001:db8::/112 2001:db8::/112"]
        );
        assert_eq!(pairs(&both[..1], &both[1..]), Err(Unsupported::NoPair));
    }

    #[test]
    fn protocol_and_ports_carry_over() {
        let local = [selector(6, (443, 443), "10.0.0.1", "10.0.0.1")];
        let remote = [any("10.1.0.0", "10.1.0.255")];
        let pairs = pairs(&local, &remote).unwrap();
        assert_eq!(
            (pairs[0].protocol, pairs[0].local.ports, pairs[0].remote.ports),
            (
                6,
                Ports {
                    port: 443,
                    mask: 0xffff
                },
                ANY
            )
        );

        let udp = [selector(17, ANY_PORT, "10.1.0.0", "10.1.0.255")];
        assert_eq!(super::pairs(&local, &udp), Err(Unsupported::NoPair));
    }

    #[test]
    fn a_range_of_ports_becomes_several() {
        let of = |first, last| {
            let masks = port_masks(first, last);
            let texts: Vec<_> = masks.map(|it| format!("{}/{:x}", it.port, it.mask)).collect();
            texts.join(" ")
        };
        assert_eq!(of(0, 65535), "0/0");
        assert_eq!(of(443, 443), "443/ffff");
        assert_eq!(of(80, 90), "80/fff8 88/fffe 90/ffff");
        assert_eq!(of(65535, 65535), "65535/ffff");
        assert_eq!(port_masks(1, 65534).count(), 30);

        let ports = [selector(6, (80, 90), "10.0.0.1", "10.0.0.1")];
        let remote = [any("10.1.0.0", "10.1.0.255")];
        assert_eq!(pairs(&ports, &remote).unwrap().len(), 3);
    }

    #[test]
    fn a_hostile_range_does_not_become_thousands_of_policies() {
        let worst = [any("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe")];
        assert_eq!(pairs(&worst, &worst), Err(Unsupported::TooMany));
        let ports = [selector(6, (1, 65534), "10.0.0.0", "10.0.0.255")];
        assert_eq!(pairs(&ports, &ports), Err(Unsupported::TooMany));
        let ipv4 = [any("0.0.0.1", "255.255.255.254")];
        assert_eq!(pairs(&ipv4, &ipv4), Err(Unsupported::TooMany));
    }
}
