//! What a kind of object, and an action on one, tell of themselves.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use super::{Objects, Plan};
use crate::netlink::{Refusal, Request, Sockets};
use crate::netns::Netns;

/// A kind of object.
pub(crate) trait Kind: Sync {
    /// The netlink protocol it is spoken in.
    fn protocol(&self) -> isize;

    /// Its objects are in the namespaces of their tunnels; otherwise in the edge's own only.
    fn follows_tunnels(&self) -> bool;

    /// Adds the objects of ours in one namespace. Kinds that this one needs have been read there.
    fn read(&self, source: &mut Source, found: &mut Objects) -> io::Result<()>;

    /// Removes what stands in the way of wanted objects.
    fn make_room(&self, _desired: &Objects, _found: &Objects, _plan: &mut Plan) {}

    /// Adds what is missing and changes what differs.
    fn put(&self, desired: &Objects, found: &Objects, plan: &mut Plan);

    /// Removes what nothing wants.
    fn remove(&self, desired: &Objects, found: &Objects, plan: &mut Plan);
}

/// A namespace whose objects are read.
pub(crate) struct Source<'a> {
    /// `None` for the edge's own.
    pub(crate) netns: Option<&'a str>,
    /// The edge's own, where this is another.
    pub(crate) home: Option<BorrowedFd<'a>>,
    pub(crate) sockets: &'a mut Sockets,
}

/// Which socket a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// `None` for the edge's own namespace.
    pub(crate) netns: Option<&'a str>,
    pub(crate) protocol: isize,
}

/// What an action is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Adds,
    Updates,
    Removes,
    /// Completes an addition.
    Completes,
}

/// An action on an object. Its text says what could not be done: "add the route to ...".
pub(crate) trait Operation: fmt::Display {
    /// The named namespace it needs, beside the edge's own.
    fn netns(&self) -> Option<&str> {
        None
    }

    fn place(&self) -> Place<'_>;

    /// `netns` is the namespace it needs, open; `now` in seconds of Unix time.
    fn request(&self, netns: Option<&Netns>, now: u64) -> Result<Request, Refusal>;

    fn effect(&self) -> Effect;

    /// With these the kernel says that it is not as it was taken to be.
    fn errors_of_drift(&self) -> &'static [Errno] {
        &[]
    }

    /// What the operator can do about a refusal.
    fn remedy_of_kind(&self, _errno: Errno) -> Option<String> {
        None
    }
}
