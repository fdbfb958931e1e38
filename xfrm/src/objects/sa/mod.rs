//! ESP SAs in tunnel mode. They stay in the edge's own namespace wherever their interface goes.

mod cipher;
pub(crate) mod codec;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::IpAddr;

use netlink_sys::protocols::NETLINK_XFRM;
use rustix::io::Errno;

use super::{Effect, Kind, Objects, Operation, Place, Plan, Source, unwanted};
use crate::netlink::{Refusal, Request};
use crate::netns::Netns;
use crate::{Child, Cipher, Subject, TunnelId};

/// An SA may end this many seconds earlier or later than wanted: an update costs as much as a new SA, and when exactly
/// the kernel added an SA that was sent among many is not known.
const TOLERANCE_SECONDS: u64 = 5;

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
    /// The kernel tells when the SA has carried as many packets or bytes, whichever comes first, and once.
    pub(crate) soft_packet_limit: Option<u64>,
    pub(crate) soft_byte_limit: Option<u64>,
}

/// UDP ports of an SA, as its packets carry them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) source: u16,
    pub(crate) destination: u16,
}

impl Sa {
    /// Inbound SAs go by the SPI that names their child.
    pub(crate) fn is_inbound(&self, id: SaId) -> bool {
        self.owner == Subject::Child(id.spi)
    }

    fn algorithm(&self) -> String {
        self.cipher
            .as_ref()
            .map_or_else(|| "no algorithm".into(), ToString::to_string)
    }
}

pub(crate) enum Action {
    Add(SaId, Sa),
    /// Limits and ports; the rest of an SA cannot be changed in place.
    Update(SaId, Sa),
    Remove(SaId),
}

/// The kind.
pub(crate) struct Sas;

impl Kind for Sas {
    fn protocol(&self) -> isize {
        NETLINK_XFRM
    }

    fn follows_tunnels(&self) -> bool {
        false
    }

    fn read(&self, source: &mut Source, found: &mut Objects) -> io::Result<()> {
        let socket = source.sockets.get(NETLINK_XFRM)?;
        found.sas.extend(socket.dump(&codec::dump(), codec::parse)?);
        Ok(())
    }

    /// Inbound ones first: a peer may answer as soon as it hears the first packet.
    fn put(&self, desired: &Objects, found: &Objects, plan: &mut Plan) {
        for inbound in [true, false] {
            let sas = desired.sas.iter();
            for (id, sa) in sas.filter(|(id, sa)| sa.is_inbound(**id) == inbound) {
                put(*id, sa, found.sas.get(id), plan);
            }
        }
    }

    fn remove(&self, desired: &Objects, found: &Objects, plan: &mut Plan) {
        for (id, sa) in unwanted(&desired.sas, &found.sas) {
            plan.push(sa.owner, Action::Remove(*id));
        }
    }
}

fn put(id: SaId, sa: &Sa, there: Option<&Sa>, plan: &mut Plan) {
    let Some(there) = there else {
        plan.push(sa.owner, Action::Add(id, sa.clone()));
        return;
    };
    match compare(sa, there) {
        Comparison::Same => plan.kept += 1,
        Comparison::Updatable => {
            let added = there.added;
            let update = Sa { added, ..sa.clone() };
            plan.push(sa.owner, Action::Update(id, update));
        }
        Comparison::Other => {
            plan.push(sa.owner, Action::Remove(id));
            plan.push(sa.owner, Action::Add(id, sa.clone()));
        }
    }
}

enum Comparison {
    Same,
    /// XFRM_MSG_UPDSA takes over limits and UDP ports, and leaves counters, sequence number and key as they are.
    Updatable,
    /// Only a new SA will do.
    Other,
}

fn compare(wanted: &Sa, found: &Sa) -> Comparison {
    if found.tunnel != wanted.tunnel
        || found.source != wanted.source
        || found.cipher != wanted.cipher
        || found.encap.is_some() != wanted.encap.is_some()
    {
        return Comparison::Other;
    }
    let same = found.encap == wanted.encap
        && found.packet_limit == wanted.packet_limit
        && found.soft_packet_limit == wanted.soft_packet_limit
        && found.soft_byte_limit == wanted.soft_byte_limit
        && expires_in_time(wanted, found);
    if same {
        Comparison::Same
    } else {
        Comparison::Updatable
    }
}

fn expires_in_time(wanted: &Sa, found: &Sa) -> bool {
    match (wanted.expires, found.expires) {
        (Some(wanted), Some(found)) => wanted.abs_diff(found) <= TOLERANCE_SECONDS,
        (wanted, found) => wanted == found,
    }
}

/// When the kernel added each SA, in seconds of Unix time: what its lifetime is relative to.
#[derive(Default)]
pub(crate) struct AddedTimes(BTreeMap<SaId, u64>);

impl AddedTimes {
    /// As a dump shows them.
    pub(crate) fn of(found: &Objects) -> Self {
        Self(found.sas.iter().map(|(id, sa)| (*id, sa.added)).collect())
    }

    /// Fills in what is known.
    pub(crate) fn fill_in(&self, objects: &mut Objects) {
        for (id, sa) in &mut objects.sas {
            sa.added = self.0.get(id).copied().unwrap_or(sa.added);
        }
    }

    /// The action was carried out at `now`.
    pub(crate) fn note(&mut self, action: &super::Action, now: u64) {
        let super::Action::Sa(action) = action else {
            return;
        };
        match action {
            Action::Add(id, _) => {
                self.0.insert(*id, now);
            }
            Action::Remove(id) => {
                self.0.remove(id);
            }
            Action::Update(..) => {}
        }
    }
}

impl Operation for Action {
    fn place(&self) -> Place<'_> {
        Place {
            netns: None,
            protocol: NETLINK_XFRM,
        }
    }

    fn request(&self, _netns: Option<&Netns>, now: u64) -> Result<Request, Refusal> {
        Ok(match self {
            Self::Add(id, wanted) => codec::add(*id, wanted, now),
            Self::Update(id, wanted) => codec::update(*id, wanted),
            Self::Remove(id) => codec::remove(*id),
        })
    }

    fn effect(&self) -> Effect {
        match self {
            Self::Add(..) => Effect::Adds,
            Self::Update(..) => Effect::Updates,
            Self::Remove(_) => Effect::Removes,
        }
    }

    fn errors_of_drift(&self) -> &'static [Errno] {
        match self {
            Self::Add(..) => &[Errno::EXIST, Errno::BUSY],
            Self::Update(..) => &[Errno::SRCH, Errno::INVAL],
            Self::Remove(_) => &[],
        }
    }

    fn remedy_of_kind(&self, errno: Errno) -> Option<String> {
        let Self::Add(id, sa) = self else {
            return None;
        };
        match errno {
            // The crypto API has no such algorithm, or none that its modules can build.
            Errno::NOSYS | Errno::NOENT => {
                let algorithm = sa.algorithm();
                let modules = cipher::modules(&algorithm);
                Some(format!(
                    "load the kernel modules that provide {algorithm} ({modules})"
                ))
            }
            Errno::PROTONOSUPPORT => {
                let module = if id.destination.is_ipv4() { "esp4" } else { "esp6" };
                Some(format!("load the kernel module {module}"))
            }
            Errno::EXIST => Some(
                "another program holds an SA with that SPI and destination; remove it with `ip xfrm state delete`"
                    .into(),
            ),
            _ => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(id, sa) => write!(f, "add the SA {id} with {}", sa.algorithm()),
            Self::Update(id, _) => write!(f, "update the SA {id}"),
            Self::Remove(id) => write!(f, "remove the SA {id}"),
        }
    }
}
