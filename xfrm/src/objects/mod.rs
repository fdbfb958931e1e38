//! The kernel's objects in the kernel's terms: one type for what ought to be there and for what was found.

pub(crate) mod address;
pub(crate) mod diff;
pub(crate) mod link;
pub(crate) mod policy;
pub(crate) mod route;
pub(crate) mod sa;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::{Child, Cipher, Selector, Subject, TunnelId};

/// What the kernel gives an xfrm interface that is not bound to a device (`ETH_DATA_LEN`).
pub(crate) const DEFAULT_MTU: u32 = 1500;

/// Objects of ours, in all network namespaces.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) links: BTreeMap<LinkId, Link>,
    pub(crate) routes: BTreeSet<Route>,
    pub(crate) sas: BTreeMap<SaId, Sa>,
    pub(crate) policies: BTreeMap<PolicyId, Policy>,
}

/// An xfrm interface, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId {
    /// Its `if_id`, which is its interface index as well: so it can be addressed before it is there.
    pub(crate) tunnel: TunnelId,
    /// Named network namespace; `None` for the edge's own.
    pub(crate) netns: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) name: String,
    pub(crate) mtu: u32,
    pub(crate) up: bool,
}

/// A route into a tunnel's interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) link: LinkId,
    pub(crate) prefix: IpNet,
}

/// How the kernel finds an ESP SA. The mark is a part of it too; ours have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SaId {
    pub(crate) destination: IpAddr,
    pub(crate) spi: u32,
}

impl SaId {
    /// Of the SA towards us.
    pub(crate) fn inbound(child: &Child) -> Self {
        Self {
            destination: child.local,
            spi: child.inbound_spi,
        }
    }

    /// Of the SA towards the peer.
    pub(crate) fn outbound(child: &Child) -> Self {
        Self {
            destination: child.peer,
            spi: child.outbound_spi,
        }
    }
}

impl fmt::Display for SaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x} towards {}", self.spi, self.destination)
    }
}

/// An ESP SA in tunnel mode.
#[derive(Clone, Debug)]
pub(crate) struct Sa {
    /// The child it belongs to, or the tunnel when nobody knows the child.
    pub(crate) owner: Subject,
    pub(crate) tunnel: TunnelId,
    pub(crate) source: IpAddr,
    pub(crate) encap: Option<Ports>,
    /// `None` for one that is not of the form this crate makes.
    pub(crate) cipher: Option<Cipher>,
    /// When the kernel added it, in seconds of Unix time: its lifetime counts from then.
    pub(crate) added: u64,
    /// When the kernel removes it, in seconds of Unix time; `None` for never.
    pub(crate) expires: Option<u64>,
    pub(crate) packet_limit: Option<u64>,
    /// The kernel tells when the SA has carried as many packets or octets, whichever comes first, and once.
    pub(crate) soft_packet_limit: Option<u64>,
    pub(crate) soft_byte_limit: Option<u64>,
}

/// UDP ports of an SA, as its packets carry them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) source: u16,
    pub(crate) destination: u16,
}

/// How the kernel finds a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PolicyId {
    pub(crate) tunnel: TunnelId,
    pub(crate) direction: Direction,
    pub(crate) selector: Selector,
}

/// Which packets a policy judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    /// Decrypted, for this machine.
    In,
    /// Decrypted, to be forwarded.
    Forward,
    /// To be encrypted.
    Out,
}

#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// The child it belongs to, or the tunnel when nobody knows the child.
    pub(crate) owner: Subject,
    /// Of equal selectors the lowest counts first.
    pub(crate) priority: u32,
    /// `None` for one that is not of the form this crate makes.
    pub(crate) template: Option<Template>,
}

/// The SA a policy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// 0 for any.
    pub(crate) spi: u32,
}

impl Sa {
    /// Inbound SAs go by the SPI that names their child.
    pub(crate) fn is_inbound(&self, id: SaId) -> bool {
        self.owner == Subject::Child(id.spi)
    }
}
