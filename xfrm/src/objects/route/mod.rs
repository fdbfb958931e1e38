//! Routes into tunnels.

pub(crate) mod codec;

use std::collections::BTreeSet;
use std::fmt;
use std::io;

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_sys::protocols::NETLINK_ROUTE;
use rustix::io::Errno;

use super::link::{LinkId, stays};
use super::{Effect, Kind, Objects, Operation, Place, Plan, Source};
use crate::netlink::{Refusal, Request};
use crate::netns::{self, Netns};
use crate::{Subject, TunnelId};

/// A route into a tunnel's interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) link: LinkId,
    pub(crate) prefix: IpNet,
}

pub(crate) enum Action {
    Add(Route),
    Remove(Route),
}

/// The kind.
pub(crate) struct Routes;

impl Kind for Routes {
    fn protocol(&self) -> isize {
        NETLINK_ROUTE
    }

    fn follows_tunnels(&self) -> bool {
        true
    }

    /// Those into the interfaces that were found there.
    fn read(&self, source: &mut Source, found: &mut Objects) -> io::Result<()> {
        let netns = source.netns.map(str::to_owned);
        let tunnels: BTreeSet<TunnelId> = found
            .links
            .keys()
            .filter(|id| id.netns == netns)
            .map(|id| id.tunnel)
            .collect();
        let socket = source.sockets.get(NETLINK_ROUTE)?;
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let routes = match socket.dump(&codec::dump(family), codec::parse) {
                // The main table comes with its first route.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::NOENT) => continue,
                routes => routes?,
            };
            for (tunnel, prefix) in routes.into_iter().filter(|(tunnel, _)| tunnels.contains(tunnel)) {
                let netns = netns.clone();
                let link = LinkId { tunnel, netns };
                found.routes.insert(Route { link, prefix });
            }
        }
        Ok(())
    }

    /// Unwanted ones first, as a prefix may have moved from one tunnel to another. Routes go with their interface: one
    /// that leaves takes its own along, one that is created anew has none.
    fn put(&self, desired: &Objects, found: &Objects, plan: &mut Plan) {
        for route in found.routes.difference(&desired.routes) {
            if stays(desired, found, &route.link) {
                plan.push(route.subject(), Action::Remove(route.clone()));
            }
        }
        for route in &desired.routes {
            if found.routes.contains(route) && stays(desired, found, &route.link) {
                plan.kept += 1;
            } else {
                plan.push(route.subject(), Action::Add(route.clone()));
            }
        }
    }

    fn remove(&self, _desired: &Objects, _found: &Objects, _plan: &mut Plan) {}
}

impl Route {
    fn subject(&self) -> Subject {
        Subject::Tunnel(self.link.tunnel)
    }
}

impl Action {
    fn route(&self) -> &Route {
        match self {
            Self::Add(route) | Self::Remove(route) => route,
        }
    }
}

impl Operation for Action {
    fn netns(&self) -> Option<&str> {
        self.route().link.netns.as_deref()
    }

    fn place(&self) -> Place<'_> {
        Place {
            netns: self.netns(),
            protocol: NETLINK_ROUTE,
        }
    }

    fn request(&self, _netns: Option<&Netns>, _now: u64) -> Result<Request, Refusal> {
        let Route { link, prefix } = self.route();
        Ok(match self {
            Self::Add(_) => codec::add(link.tunnel, *prefix),
            Self::Remove(_) => codec::remove(link.tunnel, *prefix),
        })
    }

    fn effect(&self) -> Effect {
        match self {
            Self::Add(_) => Effect::Adds,
            Self::Remove(_) => Effect::Removes,
        }
    }

    fn errors_of_drift(&self) -> &'static [Errno] {
        match self {
            Self::Add(_) => &[Errno::EXIST, Errno::NODEV, Errno::NETDOWN],
            Self::Remove(_) => &[],
        }
    }

    fn remedy_of_kind(&self, errno: Errno) -> Option<String> {
        match (self, errno) {
            (Self::Add(_), Errno::EXIST) => Some(
                "another route to the prefix is there; give overlapping customers a namespace each".into(),
            ),
            (Self::Add(_) | Self::Remove(_), _) => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self {
            Self::Add(_) => "add",
            Self::Remove(_) => "remove",
        };
        let place = netns::describe(self.netns());
        write!(f, "{verb} the route to {} in {place}", self.route().prefix)
    }
}
