//! From what is wanted to the kernel's objects. Pure: no kernel, no clock.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::io::Errno;

use super::outbound::OutboundHolders;
use crate::objects::Objects;
use crate::objects::link::{DEFAULT_MTU, Link, LinkId};
use crate::objects::policy::{Direction, Policy, PolicyId, Template};
use crate::objects::route::Route;
use crate::objects::sa::{Ports, Sa, SaId};
use crate::{Child, Failure, Selector, Subject, Tunnel, TunnelId};

/// The kernel compares a soft limit with the packets before the present one.
const FIRST_PACKET: u64 = 0;

/// The objects that some tunnels and their children ask for, and what of it cannot be had.
#[derive(Default)]
pub(crate) struct Desired {
    pub(crate) objects: Objects,
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
            self.objects.routes.insert(Route {
                link: link.clone(),
                prefix: prefix.trunc(),
            });
        }
        let mtu = tunnel.mtu.unwrap_or(DEFAULT_MTU);
        self.objects.links.insert(
            link,
            Link {
                name: tunnel.interface.clone(),
                mtu,
                up: true,
            },
        );
    }

    /// Adds the children of `tunnel`. Those with equal selectors share the policies, which belong to the one of the
    /// highest precedence. A child whose lifetime has passed asks for nothing.
    pub(crate) fn add_children<'a>(
        &mut self,
        tunnel: &Tunnel,
        children: impl IntoIterator<Item = &'a Child>,
        holders: &OutboundHolders,
        exhausted: &BTreeSet<u32>,
        now: SystemTime,
    ) {
        let mut children: Vec<_> = children.into_iter().filter(|child| child.expires > now).collect();
        children.sort_by_key(|child| std::cmp::Reverse((child.precedence, child.inbound_spi)));
        for child in children {
            self.add_inbound(child, now);
            match refuse_outbound(child, holders, exhausted) {
                Some(failure) => self.failures.push(failure),
                None => self.add_outbound(tunnel, child, now),
            }
            for selector in &child.selectors {
                self.add_policies(child, *selector);
            }
        }
    }

    fn add_inbound(&mut self, child: &Child, now: SystemTime) {
        let encap = child.encap.map(|encap| Ports {
            source: encap.peer_port,
            destination: encap.local_port,
        });
        let cipher = Some(child.inbound.clone());
        let sa = Sa {
            source: child.peer,
            encap,
            cipher,
            soft_packet_limit: child.report_use.then_some(FIRST_PACKET),
            ..bare_sa(child, now)
        };
        self.objects.sas.insert(SaId::inbound(child), sa);
    }

    fn add_outbound(&mut self, tunnel: &Tunnel, child: &Child, now: SystemTime) {
        let encap = child.encap.map(|encap| Ports {
            source: encap.local_port,
            destination: encap.peer_port,
        });
        let cipher = Some(child.outbound.clone());
        let before = |limit| spread(limit, child.inbound_spi);
        let sa = Sa {
            source: child.local,
            encap,
            cipher,
            packet_limit: child.packet_limit,
            soft_packet_limit: child.packet_limit.map(|limit| before(limit - limit / 4)),
            soft_byte_limit: tunnel.rekey_bytes.map(before),
            ..bare_sa(child, now)
        };
        self.objects.sas.insert(SaId::outbound(child), sa);
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
                    "the selector {} to {} mixes IPv4 and IPv6",
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
            self.objects.policies.entry(id).or_insert(Policy {
                owner: Subject::Child(child.inbound_spi),
                priority: priority(selector),
                template: Some(template),
            });
        }
    }
}

/// What both SAs of a child have in common.
fn bare_sa(child: &Child, now: SystemTime) -> Sa {
    Sa {
        owner: Subject::Child(child.inbound_spi),
        tunnel: child.tunnel,
        source: child.local,
        encap: None,
        cipher: None,
        added: unix_seconds(now),
        expires: Some(unix_seconds(child.expires)),
        packet_limit: None,
        soft_packet_limit: None,
        soft_byte_limit: None,
    }
}

/// Up to an eighth below `limit`, by the random low byte of the SPI: SAs that carry as much do not near their limits at
/// one moment, and the limit of each stays the same.
fn spread(limit: u64, spi: u32) -> u64 {
    limit - limit / 8 / 256 * u64::from(spi & 0xff)
}

/// Why a child may not have its outbound SA.
fn refuse_outbound(child: &Child, holders: &OutboundHolders, exhausted: &BTreeSet<u32>) -> Option<Failure> {
    let id = SaId::outbound(child);
    let (errno, text) = match holders.holder(id) {
        Some(holder) if holder != child.inbound_spi => {
            let text = format!(
                "the outbound SA {id} belongs to {}; the peer has to rekey, which gives another SPI",
                Subject::Child(holder)
            );
            (Errno::EXIST, text)
        }
        // The limit is of the key and not of the kernel's object: a new one would give the key another round.
        _ if exhausted.contains(&child.inbound_spi) => (
            Errno::KEYEXPIRED,
            format!("the outbound SA {id} has sent all the packets it may; the peer has to rekey"),
        ),
        _ => return None,
    };
    Some(Failure {
        subject: Subject::Child(child.inbound_spi),
        errno: errno.raw_os_error(),
        text,
    })
}

/// Selectors may overlap: the narrower one goes first, that is, has the lower number. Prefixes count before all else.
fn priority(selector: Selector) -> u32 {
    let prefixes = u32::from(selector.local.prefix_len()) + u32::from(selector.remote.prefix_len());
    let ports = selector.local_ports.mask().count_ones() + selector.remote_ports.mask().count_ones();
    20_000 - 64 * prefixes - ports - u32::from(selector.protocol != 0)
}

/// Whole seconds since the epoch, rounded down: a lifetime never becomes longer by it.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
