//! From what is wanted to the kernel's objects.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::io::Errno;

use crate::state::{
    DEFAULT_MTU, Direction, Link, LinkId, Policy, PolicyId, Ports, Route, Sa, SaId, State, Template,
};
use crate::{Child, Failure, Selector, Subject, Tunnel, TunnelId};

/// The objects that some tunnels and their children ask for, and what in them contradicts itself.
#[derive(Default)]
pub(crate) struct Desired {
    pub(crate) state: State,
    pub(crate) failures: Vec<Failure>,
}

impl Desired {
    /// Adds a tunnel's interface and routes.
    pub(crate) fn add_tunnel(&mut self, id: TunnelId, tunnel: &Tunnel) {
        let link = LinkId {
            tunnel: id,
            netns: tunnel.netns.clone(),
        };
        for prefix in &tunnel.routes {
            self.state.routes.insert(Route {
                link: link.clone(),
                prefix: prefix.trunc(),
            });
        }
        let mtu = tunnel.mtu.unwrap_or(DEFAULT_MTU);
        self.state.links.insert(
            link,
            Link {
                name: tunnel.interface.clone(),
                mtu,
                up: true,
            },
        );
    }

    /// Adds the children of one tunnel. Those with equal selectors share the policies, which belong to the one of the
    /// highest precedence; one whose lifetime has passed asks for nothing.
    pub(crate) fn add_children<'a>(
        &mut self,
        children: impl IntoIterator<Item = &'a Child>,
        now: SystemTime,
    ) {
        let mut children: Vec<_> = children.into_iter().filter(|child| child.expires > now).collect();
        children.sort_by_key(|child| (std::cmp::Reverse(child.precedence), child.inbound_spi));
        for child in children {
            self.add_sas(child, now);
            for selector in &child.selectors {
                self.add_policies(child, *selector);
            }
        }
    }

    /// Leaves out the SAs that have carried all the packets they may (DESIGN rule 7: the limit is of the key, not of the
    /// kernel's object). A higher limit lets them come back.
    pub(crate) fn drop_exhausted(&mut self, exhausted: &BTreeMap<SaId, Option<u64>>) {
        for (id, limit) in exhausted {
            let Some(sa) = self.state.sas.get(id).filter(|sa| sa.packet_limit <= *limit) else {
                continue;
            };
            self.failures.push(Failure {
                subject: sa.owner,
                errno: Errno::KEYEXPIRED.raw_os_error(),
                text: format!(
                    "the SA with SPI {:#010x} has sent its {} packets and is gone; the peer has to rekey",
                    id.spi,
                    limit.unwrap_or_default()
                ),
            });
            self.state.sas.remove(id);
        }
    }

    fn add_sas(&mut self, child: &Child, now: SystemTime) {
        let owner = Subject::Child(child.inbound_spi);
        let sa = |source, cipher, packet_limit| Sa {
            owner,
            tunnel: child.tunnel,
            source,
            encap: None,
            cipher: Some(cipher),
            added: unix_seconds(now),
            expires: Some(unix_seconds(child.expires)),
            packet_limit,
        };
        let mut inbound = sa(child.peer, child.inbound.clone(), None);
        let mut outbound = sa(child.local, child.outbound.clone(), child.packet_limit);
        if let Some(encap) = child.encap {
            inbound.encap = Some(Ports {
                source: encap.peer_port,
                destination: encap.local_port,
            });
            outbound.encap = Some(Ports {
                source: encap.local_port,
                destination: encap.peer_port,
            });
        }
        self.add_sa(
            SaId {
                destination: child.local,
                spi: child.inbound_spi,
            },
            inbound,
        );
        self.add_sa(
            SaId {
                destination: child.peer,
                spi: child.outbound_spi,
            },
            outbound,
        );
    }

    /// The kernel's table has no place for two SAs with one SPI and destination: customers behind one address who choose
    /// the same SPI collide (RFC 4301 section 4.1 leaves it to each receiver to keep its own SPIs apart, not to us).
    fn add_sa(&mut self, id: SaId, sa: Sa) {
        match self.state.sas.entry(id) {
            Entry::Vacant(place) => {
                place.insert(sa);
            }
            Entry::Occupied(taken) => self.failures.push(Failure {
                subject: sa.owner,
                errno: Errno::EXIST.raw_os_error(),
                text: format!(
                    "SPI {:#010x} towards {} is taken by {}; the peer has to rekey with another SPI",
                    id.spi,
                    id.destination,
                    taken.get().owner
                ),
            }),
        }
    }

    fn add_policies(&mut self, child: &Child, selector: Selector) {
        let selector = Selector {
            local: selector.local.trunc(),
            remote: selector.remote.trunc(),
            ..selector
        };
        if selector.local.addr().is_ipv4() != selector.remote.addr().is_ipv4() {
            self.failures.push(Failure {
                subject: Subject::Child(child.inbound_spi),
                errno: Errno::INVAL.raw_os_error(),
                text: format!(
                    "selector {} to {} mixes IPv4 and IPv6",
                    selector.local, selector.remote
                ),
            });
            return;
        }
        let inbound = Template {
            source: child.peer,
            destination: child.local,
            spi: 0,
        };
        // Pinned, so that a rekeyed child's packets leave on the new SA from the moment the policy says so.
        let outbound = Template {
            source: child.local,
            destination: child.peer,
            spi: child.outbound_spi,
        };
        for (direction, template) in [
            (Direction::In, inbound),
            (Direction::Forward, inbound),
            (Direction::Out, outbound),
        ] {
            let id = PolicyId {
                tunnel: child.tunnel,
                direction,
                selector,
            };
            self.state.policies.entry(id).or_insert(Policy {
                owner: Subject::Child(child.inbound_spi),
                priority: priority(selector),
                template: Some(template),
            });
        }
    }
}

/// Selectors may overlap: the narrower one goes first.
fn priority(selector: Selector) -> u32 {
    let prefixes = u32::from(selector.local.prefix_len()) + u32::from(selector.remote.prefix_len());
    let fields = [
        selector.protocol != 0,
        selector.local_port.is_some(),
        selector.remote_port.is_some(),
    ];
    2000 - 4 * prefixes - fields.into_iter().map(u32::from).sum::<u32>()
}

/// Whole seconds since the epoch, rounded down: a lifetime never becomes longer by it.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
