//! Narrowing of traffic selectors (RFC 7296 section 2.9).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::TrafficSelector;

/// Selectors of one side, and pairs of both: a bound on what a peer can make every kernel of the fleet hold, since each
/// pair becomes policies there. To take a subset is always allowed.
const MAX_SELECTORS: usize = 64;
const MAX_PAIRS: usize = 256;

/// Both sides of a child SA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Selectors {
    /// TSr: behind the fleet.
    pub(crate) local: Vec<TrafficSelector>,
    /// TSi: behind the customer.
    pub(crate) remote: Vec<TrafficSelector>,
}

/// `proposed`, where each selector that means all addresses of a family stands for the `assigned` ones of it, if there are: the
/// peer did not know its address before it had one (RFC 7296 section 2.19). One that the policy does not have is passed over.
pub(crate) fn narrow_to_assigned(
    proposed: &[TrafficSelector],
    assigned: &[IpAddr],
    policy: &[TrafficSelector],
) -> Vec<TrafficSelector> {
    let mut narrowed = Vec::new();
    for selector in proposed {
        let of_one = |address: &IpAddr| {
            TrafficSelector::new(selector.protocol(), selector.ports(), *address, *address).ok()
        };
        let is_allowed = |one: &TrafficSelector| policy.iter().any(|it| intersection(it, one).is_some());
        let mut ones = (assigned.iter().filter(|it| it.is_ipv4() == selector.is_ipv4()))
            .filter_map(of_one)
            .filter(is_allowed)
            .peekable();
        match has_all_addresses(selector) && ones.peek().is_some() {
            true => narrowed.extend(ones),
            false => narrowed.push(*selector),
        }
    }
    narrowed
}

fn has_all_addresses(selector: &TrafficSelector) -> bool {
    let all = match selector.is_ipv4() {
        true => (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::BROADCAST.into()),
        false => (
            Ipv6Addr::UNSPECIFIED.into(),
            IpAddr::V6(Ipv6Addr::from(u128::MAX)),
        ),
    };
    (selector.first(), selector.last()) == all
}

/// What both the peer's proposal and the policy allow; `None` when no packet would fit: TS_UNACCEPTABLE.
/// The first choices of the peer are kept as far as the policy allows them, since all of the common part is kept.
pub(crate) fn narrow(proposed: &Selectors, policy: &Selectors) -> Option<Selectors> {
    let mut local = common(&proposed.local, &policy.local);
    let mut remote = common(&proposed.remote, &policy.remote);
    while local.len() * remote.len() > MAX_PAIRS {
        let longer = if local.len() > remote.len() {
            &mut local
        } else {
            &mut remote
        };
        longer.pop();
    }
    let narrowed = Selectors {
        local: with_partner(&local, &remote),
        remote: with_partner(&remote, &local),
    };
    (!narrowed.local.is_empty()).then_some(narrowed)
}

/// The intersection, in the order of `proposed`, without selectors that lie within others.
fn common(proposed: &[TrafficSelector], policy: &[TrafficSelector]) -> Vec<TrafficSelector> {
    let mut result: Vec<TrafficSelector> = Vec::new();
    for proposed in proposed {
        for allowed in policy {
            let Some(part) = intersection(proposed, allowed) else {
                continue;
            };
            if result.iter().any(|other| contains(other, &part)) {
                continue;
            }
            result.retain(|other| !contains(&part, other));
            if result.len() < MAX_SELECTORS {
                result.push(part);
            }
        }
    }
    result
}

/// Those of `side` that make a packet's two ends with at least one of `other`.
fn with_partner(side: &[TrafficSelector], other: &[TrafficSelector]) -> Vec<TrafficSelector> {
    let fits = |a: &TrafficSelector, b: &TrafficSelector| {
        a.is_ipv4() == b.is_ipv4() && protocol_of_both(a.protocol(), b.protocol()).is_some()
    };
    side.iter()
        .filter(|a| other.iter().any(|b| fits(a, b)))
        .copied()
        .collect()
}

fn intersection(a: &TrafficSelector, b: &TrafficSelector) -> Option<TrafficSelector> {
    // Ranges of different families have nothing in common, though IpAddr orders them.
    if a.is_ipv4() != b.is_ipv4() {
        return None;
    }
    let protocol = protocol_of_both(a.protocol(), b.protocol())?;
    let ports = (a.ports().0.max(b.ports().0), a.ports().1.min(b.ports().1));
    let (first, last) = (a.first().max(b.first()), a.last().min(b.last()));
    let has_ports = ports == TrafficSelector::ANY_PORT || TrafficSelector::has_ports(protocol);
    if first > last || ports.0 > ports.1 || !has_ports {
        return None;
    }
    TrafficSelector::new(protocol, ports, first, last).ok()
}

fn contains(outer: &TrafficSelector, inner: &TrafficSelector) -> bool {
    intersection(outer, inner).as_ref() == Some(inner)
}

/// 0 stands for any.
fn protocol_of_both(a: u8, b: u8) -> Option<u8> {
    match (a, b) {
        (0, protocol) | (protocol, 0) => Some(protocol),
        (a, b) => (a == b).then_some(a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "ADDRESS[-ADDRESS][,PROTOCOL[,PORT[-PORT]]]"
    fn selector(text: &str) -> TrafficSelector {
        let mut fields = text.split(',');
        let (first, last) = range(fields.next().unwrap());
        let protocol = fields.next().map_or(0, |field| field.parse().unwrap());
        let ports = fields.next().map_or((0, 65535), |field| {
            let (first, last) = range(field);
            (first.parse().unwrap(), last.parse().unwrap())
        });
        TrafficSelector::new(protocol, ports, first.parse().unwrap(), last.parse().unwrap()).unwrap()
    }

    fn range(text: &str) -> (&str, &str) {
        text.split_once('-').unwrap_or((text, text))
    }

    fn selectors(text: &str) -> Vec<TrafficSelector> {
        text.split_whitespace().map(selector).collect()
    }

    const ALL4: &str = "0.0.0.0-255.255.255.255";
    const ALL6: &str = "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";

    #[test]
    fn keeps_what_both_allow() {
        let net = "10.1.0.0-10.1.255.255";
        for (proposed, policy, expected) in [
            // Equal, wider, narrower, overlapping, disjoint.
            (net, net, net),
            (ALL4, net, net),
            ("10.1.2.0-10.1.2.255", net, "10.1.2.0-10.1.2.255"),
            ("10.0.0.0-10.1.0.9", net, "10.1.0.0-10.1.0.9"),
            ("10.2.0.0-10.2.0.9", net, ""),
            // Families do not mix.
            (ALL6, net, ""),
            (&format!("{ALL4} {ALL6}"), net, net),
            // Protocol and ports.
            (&format!("{ALL4},6,80"), net, "10.1.0.0-10.1.255.255,6,80"),
            (net, "10.1.0.0-10.1.255.255,17,53", "10.1.0.0-10.1.255.255,17,53"),
            ("10.1.0.1,6,80-90", "10.1.0.1,6,85-99", "10.1.0.1,6,85-90"),
            ("10.1.0.1,6,80", "10.1.0.1,17,80", ""),
            ("10.1.0.1,6,80", "10.1.0.1,6,81", ""),
            ("10.1.0.1,1", net, "10.1.0.1,1"),
            ("10.1.0.1,1,2048", net, ""),
            ("10.1.0.1,0,80", net, ""),
            ("10.1.0.1,0,80", "10.1.0.1,6", "10.1.0.1,6,80"),
            // A packet's own selector before the wide one (RFC 7296 section 2.9) is within the answer.
            (&format!("10.1.0.7,6,443 {ALL4}"), net, net),
            // Several of either.
            (
                ALL4,
                "10.1.0.0-10.1.0.9 10.3.0.0-10.3.0.9",
                "10.1.0.0-10.1.0.9 10.3.0.0-10.3.0.9",
            ),
            ("10.1.0.1 10.1.0.2", net, "10.1.0.1 10.1.0.2"),
        ] {
            assert_eq!(
                common(&selectors(proposed), &selectors(policy)),
                selectors(expected),
                "{proposed}"
            );
        }
    }

    #[test]
    fn both_sides_must_make_a_packet() {
        let all = format!("{ALL4} {ALL6}");
        let both = |local: &str, remote: &str| Selectors {
            local: selectors(local),
            remote: selectors(remote),
        };
        let narrowed = |proposed: Selectors, policy: Selectors| narrow(&proposed, &policy);
        // IPv6 has a partner on one side only: it goes.
        assert_eq!(
            narrowed(both(&all, ALL4), both(&all, &all)),
            Some(both(ALL4, ALL4)),
        );
        assert_eq!(narrowed(both(ALL4, ALL6), both(&all, &all)), None);
        assert_eq!(
            narrowed(both("10.0.0.1,6", "10.0.0.2,17"), both(&all, &all)),
            None
        );
        assert_eq!(narrowed(both("", ALL4), both(&all, &all)), None);
    }

    #[test]
    fn a_peer_cannot_make_us_keep_many() {
        let hosts = |count: u8| -> Vec<_> {
            let hosts = (0..count).map(|host| selector(&format!("10.0.0.{host}")));
            hosts.collect()
        };
        let everything = Selectors {
            local: selectors(ALL4),
            remote: selectors(ALL4),
        };
        let kept = |local, remote| {
            let narrowed = narrow(&Selectors { local, remote }, &everything).unwrap();
            assert_eq!(narrowed.local[0], selector("10.0.0.0"));
            (narrowed.local.len(), narrowed.remote.len())
        };
        assert_eq!(kept(hosts(200), selectors(ALL4)), (MAX_SELECTORS, 1));
        assert_eq!(kept(hosts(200), hosts(200)), (16, 16));
        assert_eq!(kept(hosts(200), hosts(5)), (51, 5));
    }
}
