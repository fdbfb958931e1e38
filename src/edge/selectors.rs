//! From IKE's traffic selectors, which are ranges (RFC 7296 section 3.13.1), to the kernel's, which are prefixes and
//! single ports.

use std::net::IpAddr;

use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};
use proto::TrafficSelector;
use thiserror::Error;
use xfrm::Selector;

/// Selectors of one child SA; each costs the kernel three policies.
const MOST: usize = 256;

const ANY_PORT: (u16, u16) = (0, 65_535);

/// Why the kernel cannot have the selectors of a child SA.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum Unsupported {
    /// The kernel knows one port or all of them.
    #[error("ports {0} to {1}: the kernel selects one port or every port, not a range")]
    PortRange(u16, u16),
    /// Too many prefixes against too many.
    #[error("its traffic selectors make more than {MOST} pairs of prefixes")]
    TooMany,
    /// The sides differ in family or protocol.
    #[error("no traffic selector of one side fits one of the other")]
    NoPair,
}

/// Every pair of what is behind the fleet and what is behind the customer that can talk to each other.
pub(crate) fn pairs(
    local: &[TrafficSelector],
    remote: &[TrafficSelector],
) -> Result<Vec<Selector>, Unsupported> {
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
    selectors: &mut Vec<Selector>,
) -> Result<(), Unsupported> {
    // Before they are taken apart: a customer can have thousands of prefixes of either family that fit none of the other.
    if local.first().is_ipv4() != remote.first().is_ipv4() {
        return Ok(());
    }
    let Some(protocol) = common_protocol(local.protocol(), remote.protocol()) else {
        return Ok(());
    };
    let (local_port, remote_port) = (port(local.ports())?, port(remote.ports())?);
    for local in prefixes(local.first(), local.last()) {
        for remote in prefixes(remote.first(), remote.last()) {
            if selectors.len() == MOST {
                return Err(Unsupported::TooMany);
            }
            selectors.push(Selector {
                local,
                remote,
                protocol,
                local_port,
                remote_port,
            });
        }
    }
    Ok(())
}

/// 0 is any protocol; `None` when there is none in common.
fn common_protocol(local: u8, remote: u8) -> Option<u8> {
    match (local, remote) {
        (0, protocol) | (protocol, 0) => Some(protocol),
        (local, remote) => (local == remote).then_some(local),
    }
}

fn port(range: (u16, u16)) -> Result<Option<u16>, Unsupported> {
    match range {
        ANY_PORT => Ok(None),
        (first, last) if first == last => Ok(Some(first)),
        (first, last) => Err(Unsupported::PortRange(first, last)),
    }
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

    fn selector(protocol: u8, ports: (u16, u16), first: &str, last: &str) -> TrafficSelector {
        TrafficSelector::new(protocol, ports, first.parse().unwrap(), last.parse().unwrap()).unwrap()
    }

    fn any(first: &str, last: &str) -> TrafficSelector {
        selector(0, ANY_PORT, first, last)
    }

    fn words(selectors: &[Selector]) -> Vec<String> {
        selectors
            .iter()
            .map(|selector| format!("{} {}", selector.local, selector.remote))
            .collect()
    }

    #[test]
    fn a_prefix_stays_one_and_a_range_becomes_several() {
        let local = [any("0.0.0.0", "255.255.255.255")];
        let remote = [any("10.0.0.0", "10.0.0.255"), any("10.1.0.1", "10.1.0.4")];
        let pairs = pairs(&local, &remote).unwrap();
        assert_eq!(
            words(&pairs),
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
                .all(|pair| pair.protocol == 0 && pair.local_port.is_none())
        );
    }

    #[test]
    fn families_do_not_mix() {
        let both = [any("10.0.0.0", "10.0.0.255"), any("2001:db8::", "2001:db8::ffff")];
        assert_eq!(
            words(&pairs(&both, &both).unwrap()),
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
            (pairs[0].protocol, pairs[0].local_port, pairs[0].remote_port),
            (6, Some(443), None)
        );

        let udp = [selector(17, ANY_PORT, "10.1.0.0", "10.1.0.255")];
        assert_eq!(super::pairs(&local, &udp), Err(Unsupported::NoPair));
    }

    #[test]
    fn what_the_kernel_cannot_select_is_refused() {
        let ports = [selector(6, (1000, 2000), "10.0.0.1", "10.0.0.1")];
        let remote = [any("10.1.0.0", "10.1.0.255")];
        assert_eq!(pairs(&ports, &remote), Err(Unsupported::PortRange(1000, 2000)));
    }

    #[test]
    fn a_hostile_range_does_not_become_thousands_of_policies() {
        let worst = [any("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe")];
        assert_eq!(pairs(&worst, &worst), Err(Unsupported::TooMany));
        let ipv4 = [any("0.0.0.1", "255.255.255.254")];
        assert_eq!(pairs(&ipv4, &ipv4), Err(Unsupported::TooMany));
    }
}
