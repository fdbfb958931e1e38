//! xfrm interfaces.

pub(crate) mod codec;

use std::collections::BTreeSet;
use std::fmt;
use std::io;

use netlink_sys::protocols::NETLINK_ROUTE;
use rustix::io::Errno;

use self::codec::Found;
use super::{Effect, Kind, Objects, Operation, Place, Plan, Source, unwanted};
use crate::netlink::{Refusal, Request};
use crate::netns::{self, Netns};
use crate::{Subject, TunnelId};

/// What the kernel gives an xfrm interface that is not bound to a device (`ETH_DATA_LEN`).
pub(crate) const DEFAULT_MTU: u32 = 1500;

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

pub(crate) enum Action {
    /// Creates the interface in the edge's own namespace, whatever the one it goes to.
    Create(LinkId, Link),
    /// Moves a just created interface to its namespace.
    Move(LinkId, Link),
    /// Sets a moved interface up.
    Raise(LinkId, Link),
    /// Corrects MTU and state of an interface that was there.
    Set(LinkId, Link),
    Remove(LinkId),
}

/// The kind.
pub(crate) struct Links;

impl Kind for Links {
    fn protocol(&self) -> isize {
        NETLINK_ROUTE
    }

    fn follows_tunnels(&self) -> bool {
        true
    }

    /// In a namespace other than the edge's own these are the interfaces whose SAs are at home: other edges may run on
    /// this machine, with the same numbers.
    fn read(&self, source: &mut Source, found: &mut Objects) -> io::Result<()> {
        let socket = source.sockets.get(NETLINK_ROUTE)?;
        let there = socket.dump(&codec::dump(), codec::parse)?;
        // Only now: the dump itself makes the kernel give the numbers.
        let home = match source.home {
            Some(home) => match socket.get(&netns::codec::number_of(home), netns::codec::parse)? {
                Some(number) => Some(number),
                None => return Ok(()),
            },
            None => None,
        };
        for Found { tunnel, link, .. } in there.into_iter().filter(|there| there.home == home) {
            let netns = source.netns.map(str::to_owned);
            found.links.insert(LinkId { tunnel, netns }, link);
        }
        Ok(())
    }

    /// An `if_id`, and a name, can be had once: the wrong interface goes before the right one comes.
    fn make_room(&self, desired: &Objects, found: &Objects, plan: &mut Plan) {
        for id in misplaced(desired, found) {
            plan.push(Subject::Tunnel(id.tunnel), Action::Remove(id.clone()));
        }
    }

    fn put(&self, desired: &Objects, found: &Objects, plan: &mut Plan) {
        let mut moves = Vec::new();
        let mut settings = Vec::new();
        for (id, link) in &desired.links {
            let subject = Subject::Tunnel(id.tunnel);
            match found.links.get(id) {
                Some(there) if there == link => plan.kept += 1,
                Some(there) if there.name == link.name => {
                    settings.push((subject, Action::Set(id.clone(), link.clone())));
                }
                _ => {
                    plan.push(subject, Action::Create(id.clone(), link.clone()));
                    if id.netns.is_some() {
                        moves.push((subject, Action::Move(id.clone(), link.clone())));
                        settings.push((subject, Action::Raise(id.clone(), link.clone())));
                    }
                }
            }
        }
        // Each in the namespace of the one before, so that they share their sends.
        for (subject, action) in moves.into_iter().chain(settings) {
            plan.push(subject, action);
        }
    }

    fn remove(&self, desired: &Objects, found: &Objects, plan: &mut Plan) {
        let misplaced = misplaced(desired, found);
        for (id, _) in unwanted(&desired.links, &found.links) {
            if !misplaced.contains(id) {
                plan.push(Subject::Tunnel(id.tunnel), Action::Remove(id.clone()));
            }
        }
    }
}

/// True for an interface that is there before and after.
pub(super) fn stays(desired: &Objects, found: &Objects, id: &LinkId) -> bool {
    match (desired.links.get(id), found.links.get(id)) {
        (Some(wanted), Some(there)) => wanted.name == there.name,
        _ => false,
    }
}

/// Interfaces that stand in the way of a wanted one: of the same tunnel, or of the same name in the same namespace.
fn misplaced<'a>(desired: &Objects, found: &'a Objects) -> BTreeSet<&'a LinkId> {
    let misplaced: Vec<_> = found
        .links
        .iter()
        .filter(|(id, link)| {
            desired
                .links
                .get(id)
                .is_none_or(|wanted| wanted.name != link.name)
        })
        .collect();
    if misplaced.is_empty() {
        return BTreeSet::new();
    }
    let tunnels: BTreeSet<_> = desired.links.keys().map(|id| id.tunnel).collect();
    let names: BTreeSet<_> = desired
        .links
        .iter()
        .map(|(id, link)| (&id.netns, &link.name))
        .collect();
    let is_in_the_way =
        |id: &LinkId, link: &Link| tunnels.contains(&id.tunnel) || names.contains(&(&id.netns, &link.name));
    misplaced
        .into_iter()
        .filter(|(id, link)| is_in_the_way(id, link))
        .map(|(id, _)| id)
        .collect()
}

/// Makes an interface, with the number that no tunnel has, and removes it: shows whether the kernel knows the kind.
pub(crate) fn probe() -> [Action; 2] {
    let id = LinkId {
        tunnel: TunnelId(0),
        netns: None,
    };
    let link = Link {
        name: "anyswan-probe".to_owned(),
        mtu: 1280,
        up: false,
    };
    [Action::Create(id.clone(), link), Action::Remove(id)]
}

impl Action {
    fn id(&self) -> &LinkId {
        match self {
            Self::Create(id, _)
            | Self::Move(id, _)
            | Self::Raise(id, _)
            | Self::Set(id, _)
            | Self::Remove(id) => id,
        }
    }
}

impl Operation for Action {
    fn netns(&self) -> Option<&str> {
        self.id().netns.as_deref()
    }

    fn place(&self) -> Place<'_> {
        let netns = match self {
            Self::Create(..) | Self::Move(..) => None,
            Self::Raise(id, _) | Self::Set(id, _) | Self::Remove(id) => id.netns.as_deref(),
        };
        Place {
            netns,
            protocol: NETLINK_ROUTE,
        }
    }

    fn request(&self, netns: Option<&Netns>, _now: u64) -> Result<Request, Refusal> {
        Ok(match self {
            Self::Create(id, wanted) => codec::create(id, wanted),
            Self::Move(id, wanted) => {
                let netns = netns.ok_or(Errno::INVAL)?;
                codec::relocate(id, wanted, netns.as_fd())
            }
            Self::Raise(id, wanted) | Self::Set(id, wanted) => codec::set(id, wanted),
            Self::Remove(id) => codec::remove(id.tunnel),
        })
    }

    fn effect(&self) -> Effect {
        match self {
            Self::Create(..) => Effect::Adds,
            Self::Move(..) | Self::Raise(..) => Effect::Completes,
            Self::Set(..) => Effect::Updates,
            Self::Remove(_) => Effect::Removes,
        }
    }

    fn errors_of_drift(&self) -> &'static [Errno] {
        match self {
            Self::Create(..) => &[Errno::EXIST, Errno::BUSY],
            Self::Move(..) | Self::Raise(..) | Self::Set(..) => &[Errno::NODEV],
            Self::Remove(_) => &[],
        }
    }

    fn remedy_of_kind(&self, errno: Errno) -> Option<String> {
        let remedy = match (self, errno) {
            (Self::Create(..), Errno::OPNOTSUPP) => "load the kernel module xfrm_interface",
            (Self::Create(..) | Self::Move(..), Errno::EXIST | Errno::BUSY) => {
                "another interface has the name or the index; remove or rename it"
            }
            (Self::Create(..) | Self::Move(..) | Self::Raise(..) | Self::Set(..) | Self::Remove(_), _) => {
                return None;
            }
        };
        Some(remedy.into())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = netns::describe(self.netns());
        match self {
            Self::Create(_, link) => write!(f, "create the xfrm interface {} in {place}", link.name),
            Self::Move(_, link) => write!(f, "move the interface {} to {place}", link.name),
            Self::Raise(_, link) | Self::Set(_, link) => {
                write!(f, "set up the interface {} in {place}", link.name)
            }
            Self::Remove(id) => write!(f, "remove the interface of tunnel {} from {place}", id.tunnel.0),
        }
    }
}
