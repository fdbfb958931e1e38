//! The kernel of the edge: reads its tables, carries steps out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_route::AddressFamily;
use netlink_sys::protocols::{NETLINK_ROUTE, NETLINK_XFRM};
use rustix::io::Errno;

use crate::netlink::{Refusal, Request, Socket};
use crate::netns::{self, Netns};
use crate::objects::diff::{Action, Step};
use crate::objects::link::codec::{self as link, Found};
use crate::objects::policy::codec as policy;
use crate::objects::route::codec as route;
use crate::objects::sa::codec as sa;
use crate::objects::{LinkId, Route, State};

/// The named namespaces of a pass, open, or why they are not.
pub(crate) type Namespaces = BTreeMap<String, Result<Netns, Refusal>>;

/// Sockets of the edge's own network namespace.
pub(crate) struct Kernel {
    /// The namespace itself.
    home: File,
    /// SAs and policies; they stay here wherever their interface goes.
    xfrm: Socket,
    /// Interfaces and routes.
    route: Socket,
}

/// Which socket a step goes to.
#[derive(PartialEq)]
enum Place<'a> {
    Xfrm,
    Route(Option<&'a str>),
}

impl Kernel {
    /// Of the network namespace of the calling thread.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            home: netns::own()?,
            xfrm: Socket::open(NETLINK_XFRM)?,
            route: Socket::open(NETLINK_ROUTE)?,
        })
    }

    /// Opens named namespaces for one pass.
    pub(crate) fn open_namespaces(&self, names: &BTreeSet<String>) -> Namespaces {
        names
            .iter()
            .map(|name| (name.clone(), Netns::open(name, &self.home)))
            .collect()
    }

    /// Everything that is ours, in the edge's namespace and the given ones.
    pub(crate) fn dump(&mut self, namespaces: &mut Namespaces) -> io::Result<State> {
        let mut state = State {
            sas: self.xfrm.dump(&sa::dump(), sa::parse)?.into_iter().collect(),
            policies: self
                .xfrm
                .dump(&policy::dump(), policy::parse)?
                .into_iter()
                .collect(),
            ..State::default()
        };
        dump_links(&mut self.route, None, None, &mut state)?;
        for (name, namespace) in namespaces {
            if let Ok(netns) = namespace
                && let Err(error) =
                    dump_links(&mut netns.socket, Some(name), Some(self.home.as_fd()), &mut state)
            {
                *namespace = Err(error.into());
            }
        }
        Ok(state)
    }

    /// Carries the steps out in their order, neighbours of one place in one send. One result for each. `now` is in
    /// seconds of Unix time.
    pub(crate) fn run(
        &mut self,
        steps: &[Step],
        namespaces: &mut Namespaces,
        now: u64,
    ) -> Vec<Result<(), Refusal>> {
        let mut results = Vec::with_capacity(steps.len());
        for neighbours in steps.chunk_by(|a, b| place(&a.action) == place(&b.action)) {
            let mut requests = Vec::with_capacity(neighbours.len());
            let prepared = results.len();
            for step in neighbours {
                results.push(request(&step.action, namespaces, now).map(|request| requests.push(request)));
            }
            let socket = match place(&neighbours[0].action) {
                Place::Xfrm => &mut self.xfrm,
                Place::Route(None) => &mut self.route,
                Place::Route(Some(name)) => match namespaces.get_mut(name) {
                    Some(Ok(netns)) => &mut netns.socket,
                    _ => continue,
                },
            };
            let sent = results[prepared..].iter_mut().filter(|result| result.is_ok());
            for (result, answer) in sent.zip(socket.execute(&requests)) {
                *result = answer;
            }
        }
        results
    }
}

/// Reads the interfaces and routes that are ours where the socket is. In a namespace other than `home` these are the
/// interfaces whose SAs are at home: other edges may run on this machine, with the same numbers.
fn dump_links(
    socket: &mut Socket,
    netns: Option<&String>,
    home: Option<BorrowedFd>,
    state: &mut State,
) -> io::Result<()> {
    let found = socket.dump(&link::dump(), link::parse)?;
    // Only now: the dump itself makes the kernel give the numbers.
    let home = match home {
        Some(home) => match socket.get(&netns::codec::number_of(home), netns::codec::parse)? {
            Some(number) => Some(number),
            None => return Ok(()),
        },
        None => None,
    };
    let mut tunnels = BTreeSet::new();
    for Found { tunnel, link, .. } in found.into_iter().filter(|found| found.home == home) {
        tunnels.insert(tunnel);
        state.links.insert(
            LinkId {
                tunnel,
                netns: netns.cloned(),
            },
            link,
        );
    }
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let routes = match socket.dump(&route::dump(family), route::parse) {
            // The main table comes with its first route.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOENT) => continue,
            routes => routes?,
        };
        for (tunnel, prefix) in routes.into_iter().filter(|(tunnel, _)| tunnels.contains(tunnel)) {
            state.routes.insert(Route {
                link: LinkId {
                    tunnel,
                    netns: netns.cloned(),
                },
                prefix,
            });
        }
    }
    Ok(())
}

fn place(action: &Action) -> Place<'_> {
    match action {
        Action::CreateLink(..) | Action::MoveLink(..) => Place::Route(None),
        Action::RaiseLink(id, _) | Action::SetLink(id, _) | Action::RemoveLink(id) => {
            Place::Route(id.netns.as_deref())
        }
        Action::AddRoute(route) | Action::RemoveRoute(route) => Place::Route(route.link.netns.as_deref()),
        Action::AddSa(..)
        | Action::UpdateSa(..)
        | Action::RemoveSa(..)
        | Action::PutPolicy(..)
        | Action::RemovePolicy(..) => Place::Xfrm,
    }
}

fn request(action: &Action, namespaces: &Namespaces, now: u64) -> Result<Request, Refusal> {
    Ok(match action {
        Action::CreateLink(id, wanted) => {
            netns_of(id, namespaces)?;
            link::create(id, wanted)
        }
        Action::MoveLink(id, wanted) => match netns_of(id, namespaces)? {
            Some(netns) => link::relocate(id, wanted, netns.as_fd()),
            None => return Err(Errno::INVAL.into()),
        },
        Action::RaiseLink(id, wanted) | Action::SetLink(id, wanted) => {
            netns_of(id, namespaces)?;
            link::set(id, wanted)
        }
        Action::RemoveLink(id) => {
            netns_of(id, namespaces)?;
            link::remove(id.tunnel)
        }
        Action::AddRoute(route) => {
            netns_of(&route.link, namespaces)?;
            route::add(route.link.tunnel, route.prefix)
        }
        Action::RemoveRoute(route) => {
            netns_of(&route.link, namespaces)?;
            route::remove(route.link.tunnel, route.prefix)
        }
        Action::AddSa(id, wanted) => sa::add(*id, wanted, now),
        Action::UpdateSa(id, wanted) => sa::update(*id, wanted),
        Action::RemoveSa(id) => sa::remove(*id),
        Action::PutPolicy(id, wanted) => policy::put(*id, wanted),
        Action::RemovePolicy(id) => policy::remove(*id),
    })
}

/// The namespace of an interface, `None` for the edge's own.
fn netns_of<'a>(id: &LinkId, namespaces: &'a Namespaces) -> Result<Option<&'a Netns>, Refusal> {
    match id.netns.as_ref().map(|name| namespaces.get(name)) {
        None => Ok(None),
        Some(Some(Ok(netns))) => Ok(Some(netns)),
        Some(Some(Err(refusal))) => Err(refusal.clone()),
        Some(None) => Err(Errno::NOENT.into()),
    }
}
