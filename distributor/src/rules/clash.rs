//! What two tunnels may not have in common. What an edge's kernel makes of the rest, only that edge knows: two names may mean
//! one network namespace there, or another program may have a route.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use proto::{Sealed, Tunnel, TunnelSelector};

use crate::log::state::State;
use crate::rules::refusal::Refusal;

/// Refuses a tunnel that contradicts another; one of its own name is what it takes the place of. If it does so as that did, the fleet
/// lives with it, since before this was checked perhaps: its key can be changed all the same.
pub(crate) fn check(state: &State, new: &Tunnel) -> Result<(), Refusal> {
    let old = state.tunnel(&new.name).map(Sealed::header);
    if old.is_some_and(|old| place(old) == place(new)) {
        return Ok(());
    }
    let prefixes: BTreeSet<IpNet> = prefixes(new).collect();
    let others = state.tunnels().map(Sealed::header);
    for other in others.filter(|other| other.name != new.name) {
        check_identity(new, other)?;
        if new.netns == other.netns {
            check_routes(&prefixes, other)?;
            check_addresses(new, other)?;
            check_addresses(other, new)?;
        }
    }
    Ok(())
}

/// All that is compared with others.
fn place(tunnel: &Tunnel) -> impl PartialEq + '_ {
    let Tunnel {
        id,
        remote_id,
        netns,
        interface,
        remote_ts,
        addresses,
        ..
    } = tunnel;
    (id, remote_id, netns, interface, remote_ts, addresses)
}

/// What tells tunnels apart: the number in the kernel, whom a peer proves to be, the interface.
fn check_identity(new: &Tunnel, other: &Tunnel) -> Result<(), Refusal> {
    let same = if other.id == new.id {
        format!("id {}", new.id)
    } else if other.remote_id == new.remote_id {
        format!(
            "remote identity {}, by which it is known whose peer calls",
            new.remote_id
        )
    } else if (&other.netns, &other.interface) == (&new.netns, &new.interface) {
        format!("interface {}: name another (--interface)", new.interface)
    } else {
        return Ok(());
    };
    Err(Refusal::TunnelClash {
        other: other.name.clone(),
        same,
    })
}

/// A routing table has one route to a prefix. Of prefixes that lie within each other the longest counts, so those may be of
/// different customers.
fn check_routes(new: &BTreeSet<IpNet>, other: &Tunnel) -> Result<(), Refusal> {
    match prefixes(other).find(|prefix| new.contains(prefix)) {
        None => Ok(()),
        Some(prefix) => Err(Refusal::SameRoute {
            other: other.name.clone(),
            prefix,
        }),
    }
}

/// A customer gets nothing for its address if another's prefix that holds it is longer.
fn check_addresses(of: &Tunnel, other: &Tunnel) -> Result<(), Refusal> {
    let strays = |address: &&IpAddr| longest(other, **address) > longest(of, **address);
    match of.addresses.iter().find(strays) {
        None => Ok(()),
        Some(address) => Err(Refusal::StrayAddress {
            address: *address,
            of: of.name.clone(),
            to: other.name.clone(),
        }),
    }
}

/// Bits of the longest prefix that holds the address; `None` when none does.
fn longest(tunnel: &Tunnel, address: IpAddr) -> Option<u8> {
    let holding = prefixes(tunnel).filter(|prefix| prefix.contains(&address));
    holding.map(|prefix| prefix.prefix_len()).max()
}

/// Every edge routes them into the tunnel.
fn prefixes(tunnel: &Tunnel) -> impl Iterator<Item = IpNet> {
    tunnel.remote_ts.iter().map(TunnelSelector::prefix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::state::Counters;
    use crate::log::transaction::Transaction;
    use proto::testkit::{sealed, tunnel};

    fn transaction() -> Transaction {
        let counters = Counters {
            store: 1,
            head: 0,
            purged: 0,
            incarnation: 0,
            highest_slot: 0,
        };
        Transaction::new(&State::new(counters), std::time::SystemTime::now().into())
    }

    /// What comes of adding `second` when `first` is there, in this order and in the other.
    fn both_ways(first: &Tunnel, second: &Tunnel) -> [Result<(), Refusal>; 2] {
        [(first, second), (second, first)].map(|(there, new)| {
            let mut transaction = transaction();
            transaction.put(proto::Body::Tunnel(sealed(there.clone())));
            check(transaction.state(), new)
        })
    }

    fn behind(name: &str, id: u16, remote_ts: &[&str]) -> Tunnel {
        Tunnel {
            remote_ts: remote_ts.iter().map(|text| text.parse().unwrap()).collect(),
            ..tunnel(name, id)
        }
    }

    /// By the rule that the responder finds tunnels by: else the later one would take the first one's customers.
    #[test]
    fn an_identity_is_of_one_tunnel_however_it_is_written() {
        let tunnel = |name: &str, id: u16, remote_id: &str| Tunnel {
            remote_id: remote_id.parse().unwrap(),
            ..behind(name, id, &[&format!("10.{id}.0.0/16")])
        };
        for (one, other) in [
            ("cpe.example", "CPE.Example"),
            ("a@X.example", "a@x.example"),
            ("C=CH, O=Acme, CN=cpe.example", "C=CH, O=ACME, CN=CPE.example"),
            ("keyid:00ff", "key-id:00FF"),
        ] {
            let (acme, beta) = (tunnel("acme", 1, one), tunnel("beta", 2, other));
            let clash = |new: &Tunnel, there: &str| Refusal::TunnelClash {
                other: there.parse().unwrap(),
                same: format!(
                    "remote identity {}, by which it is known whose peer calls",
                    new.remote_id
                ),
            };
            let refused = [Err(clash(&beta, "acme")), Err(clash(&acme, "beta"))];
            assert_eq!(both_ways(&acme, &beta), refused, "{one} {other}");
            let rewritten = tunnel("acme", 1, other);
            assert_eq!(both_ways(&acme, &rewritten), [Ok(()), Ok(())], "{one} {other}");
        }
        for (one, other) in [
            ("a@x.example", "A@x.example"),
            ("keyid:41", "keyid:61"),
            ("CN=a b", "CN=ab"),
        ] {
            let (acme, beta) = (tunnel("acme", 1, one), tunnel("beta", 2, other));
            assert_eq!(both_ways(&acme, &beta), [Ok(()), Ok(())], "{one} {other}");
        }
    }

    #[test]
    fn a_prefix_is_routed_into_one_tunnel_of_a_namespace() {
        let acme = behind("acme", 1, &["10.7.0.0/16", "2001:db8::/48"]);
        for same in ["10.7.0.0/16", "10.7.0.0/16[tcp/443]", "2001:db8::/48"] {
            let beta = behind("beta", 2, &["10.8.0.0/16", same]);
            let [refused, reversed] = both_ways(&acme, &beta).map(|result| result.unwrap_err().to_string());
            let prefix = same.split('[').next().unwrap();
            assert!(
                refused.contains("tunnel acme") && refused.contains(prefix),
                "{refused}"
            );
            assert!(
                reversed.contains("tunnel beta") && reversed.contains(prefix),
                "{reversed}"
            );

            let elsewhere = Tunnel {
                netns: Some("beta".parse().unwrap()),
                ..beta
            };
            assert_eq!(both_ways(&acme, &elsewhere), [Ok(()), Ok(())]);
        }
    }

    #[test]
    fn what_was_there_before_may_be_changed_elsewhere() {
        let [acme, beta] = [("acme", 1), ("beta", 2)].map(|(name, id)| behind(name, id, &["10.7.0.0/16"]));
        let mut transaction = transaction();
        for tunnel in [&acme, &beta] {
            transaction.put(proto::Body::Tunnel(sealed(tunnel.clone())));
        }
        let redirected = Tunnel {
            redirect: Some("vpn.example".parse().unwrap()),
            ..acme.clone()
        };
        assert_eq!(check(transaction.state(), &redirected), Ok(()));
        let wider = behind("acme", 1, &["10.7.0.0/16", "10.8.0.0/16"]);
        let same_route = Refusal::SameRoute {
            other: "beta".parse().unwrap(),
            prefix: "10.7.0.0/16".parse().unwrap(),
        };
        assert_eq!(check(transaction.state(), &wider), Err(same_route));
    }

    #[test]
    fn a_prefix_within_anothers_may_be_routed_elsewhere() {
        let wide = behind("wide", 1, &["10.0.0.0/8", "::/0"]);
        let narrow = behind("narrow", 2, &["10.7.0.0/16", "2001:db8::/48"]);
        assert_eq!(both_ways(&wide, &narrow), [Ok(()), Ok(())]);
    }

    #[test]
    fn no_customer_gets_an_address_that_is_routed_to_another() {
        let wide = |address: &str| Tunnel {
            addresses: vec![address.parse().unwrap()],
            ..behind("wide", 1, &["10.0.0.0/8"])
        };
        let narrow = behind("narrow", 2, &["10.7.0.0/16"]);
        let astray = Refusal::StrayAddress {
            address: [10, 7, 0, 1].into(),
            of: "wide".parse().unwrap(),
            to: "narrow".parse().unwrap(),
        };
        assert_eq!(
            both_ways(&wide("10.7.0.1"), &narrow),
            [Err(astray.clone()), Err(astray)]
        );
        assert_eq!(both_ways(&wide("10.8.0.1"), &narrow), [Ok(()), Ok(())]);
    }
}
