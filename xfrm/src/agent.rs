//! Keeps the kernel equal to the wanted set.

use crate::{Change, Failure, Wanted};

/// What one pass over the kernel found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Interfaces, routes, SAs and policies that were there already, as wanted.
    pub adopted: usize,
    /// That were missing, or had to be made anew.
    pub added: usize,
    /// That were changed in place: counters and sequence numbers go on.
    pub updated: usize,
    /// Strays of ours that were removed.
    pub removed: usize,
    /// What the kernel refused in this pass.
    pub failures: Vec<Failure>,
}

/// The agent could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A netlink socket could not be had: no CAP_NET_ADMIN, or a kernel without xfrm.
    #[error("cannot open a netlink socket: {0}")]
    Socket(#[from] std::io::Error),
}

/// Makes the kernel equal to a [`Wanted`] set. Blocking: give it a thread of its own.
pub struct Agent {
    wanted: Wanted,
}

impl Agent {
    /// Works on the network namespace of the calling thread; touches nothing yet.
    pub fn open() -> Result<Self, Error> {
        Ok(Self {
            wanted: Wanted::default(),
        })
    }

    /// What the kernel ought to hold.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Replaces the whole wanted set and reconciles: what the kernel has already stays untouched, strays go.
    pub fn adopt(&mut self, wanted: Wanted) -> Report {
        self.wanted = wanted;
        self.reconcile()
    }

    /// The fast path: brings the changes into the kernel at once, in few netlink sends. Returns what it refused.
    pub fn apply(&mut self, _changes: Vec<Change>) -> Vec<Failure> {
        unimplemented!()
    }

    /// The slow loop's step: compares all of the kernel's with the wanted set and mends what differs.
    pub fn reconcile(&mut self) -> Report {
        unimplemented!()
    }

    /// Everything the kernel refuses at present.
    pub fn failures(&self) -> Vec<Failure> {
        Vec::new()
    }
}
