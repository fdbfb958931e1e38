//! IPsec policies. They stay in the edge's own namespace wherever their interface goes.

pub(crate) mod codec;

use std::fmt;
use std::io;
use std::net::IpAddr;

use netlink_sys::protocols::NETLINK_XFRM;

use super::{Effect, Kind, Objects, Operation, Place, Plan, Source, unwanted};
use crate::netlink::{Refusal, Request};
use crate::netns::Netns;
use crate::{Selector, Subject, TunnelId};

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

pub(crate) enum Action {
    /// Adds or replaces.
    Put(PolicyId, Policy),
    Remove(PolicyId),
}

/// The kind.
pub(crate) struct Policies;

impl Kind for Policies {
    fn protocol(&self) -> isize {
        NETLINK_XFRM
    }

    fn follows_tunnels(&self) -> bool {
        false
    }

    fn read(&self, source: &mut Source, found: &mut Objects) -> io::Result<()> {
        let socket = source.sockets.get(NETLINK_XFRM)?;
        found.policies.extend(socket.dump(&codec::dump(), codec::parse)?);
        Ok(())
    }

    fn put(&self, desired: &Objects, found: &Objects, plan: &mut Plan) {
        for (id, policy) in &desired.policies {
            let is_same =
                |there: &Policy| there.template == policy.template && there.priority == policy.priority;
            if found.policies.get(id).is_some_and(is_same) {
                plan.kept += 1;
            } else {
                plan.push(policy.owner, Action::Put(*id, policy.clone()));
            }
        }
    }

    fn remove(&self, desired: &Objects, found: &Objects, plan: &mut Plan) {
        for (id, policy) in unwanted(&desired.policies, &found.policies) {
            plan.push(policy.owner, Action::Remove(*id));
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

    fn request(&self, _netns: Option<&Netns>, _now: u64) -> Result<Request, Refusal> {
        Ok(match self {
            Self::Put(id, wanted) => codec::put(*id, wanted),
            Self::Remove(id) => codec::remove(*id),
        })
    }

    fn effect(&self) -> Effect {
        match self {
            Self::Put(..) => Effect::Adds,
            Self::Remove(_) => Effect::Removes,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, id) = match self {
            Self::Put(id, _) => ("add", id),
            Self::Remove(id) => ("remove", id),
        };
        let Selector { local, remote, .. } = id.selector;
        write!(f, "{verb} the {} policy for {local} to {remote}", id.direction)
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::In => "inbound",
            Self::Forward => "forward",
            Self::Out => "outbound",
        })
    }
}
