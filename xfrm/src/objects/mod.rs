//! The kernel's objects by kind, in all network namespaces.
//!
//! Each kind has a folder: the object (one type for what is wanted and for what was found), what differs, the actions that
//! make both equal with the words an operator reads, and the netlink messages. A further kind is one more folder, and one
//! more line under [`kinds!`].

pub(crate) mod address;
mod kind;
pub(crate) mod link;
pub(crate) mod policy;
pub(crate) mod route;
pub(crate) mod sa;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use rustix::io::Errno;

pub(crate) use self::kind::{Effect, Kind, Operation, Place, Source};
use self::link::{Link, LinkId};
use self::policy::{Policy, PolicyId};
use self::route::Route;
use self::sa::{Sa, SaId};
use crate::netlink::Refusal;
use crate::{Failure, Subject};

/// Declares the kinds: `module::Kind: Variant in field: table;`.
macro_rules! kinds {
    ($($module:ident::$Kind:ident: $Variant:ident in $field:ident: $Table:ty;)*) => {
        /// Every kind, in the order in which objects need each other.
        const KINDS: &[&dyn Kind] = &[$(&$module::$Kind),*];

        /// Objects of ours, in all network namespaces.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Objects {
            $(pub(crate) $field: $Table,)*
        }

        /// What to do. In the order that [`diff`] gives, nothing is used before it is there.
        pub(crate) enum Action {
            $($Variant($module::Action),)*
        }

        $(impl From<$module::Action> for Action {
            fn from(action: $module::Action) -> Self {
                Self::$Variant(action)
            }
        })*

        impl Deref for Action {
            type Target = dyn Operation;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$Variant(action) => action,)*
                }
            }
        }
    };
}

// Made in this order, removed in the reverse one.
kinds! {
    link::Links: Link in links: BTreeMap<LinkId, Link>;
    route::Routes: Route in routes: BTreeSet<Route>;
    sa::Sas: Sa in sas: BTreeMap<SaId, Sa>;
    policy::Policies: Policy in policies: BTreeMap<PolicyId, Policy>;
}

impl Objects {
    /// Adds what is ours in one namespace.
    pub(crate) fn read(&mut self, source: &mut Source) -> std::io::Result<()> {
        let is_home = source.netns.is_none();
        KINDS
            .iter()
            .filter(|kind| is_home || kind.follows_tunnels())
            .try_for_each(|kind| kind.read(source, self))
    }

    /// The named namespaces that objects are in.
    pub(crate) fn namespaces(&self) -> BTreeSet<String> {
        self.links.keys().filter_map(|id| id.netns.clone()).collect()
    }
}

/// The netlink protocols that the kinds are spoken in: in the edge's own namespace, or in those of tunnels.
pub(crate) fn protocols(in_tunnels_namespaces: bool) -> BTreeSet<isize> {
    KINDS
        .iter()
        .filter(|kind| !in_tunnels_namespaces || kind.follows_tunnels())
        .map(|kind| kind.protocol())
        .collect()
}

impl Action {
    /// True when a refusal says that there is nothing left to do.
    pub(crate) fn is_done_already(&self, refusal: &Refusal) -> bool {
        self.effect() == Effect::Removes && matches!(refusal.errno, Errno::NOENT | Errno::SRCH | Errno::NODEV)
    }

    /// True when a refusal says that the kernel is not as it was taken to be, or leaves open how it is.
    pub(crate) fn is_drift(&self, refusal: &Refusal) -> bool {
        refusal.is_lost() || self.errors_of_drift().contains(&refusal.errno)
    }

    fn remedy(&self, errno: Errno) -> Option<String> {
        match (errno, self.netns()) {
            (Errno::NOENT, Some(netns)) => Some(format!("create it with `ip netns add {netns}`")),
            (Errno::PERM | Errno::ACCESS, _) => Some("run with CAP_NET_ADMIN".into()),
            _ => self.remedy_of_kind(errno),
        }
    }
}

/// One thing to do, and whose it is.
pub(crate) struct Step {
    pub(crate) subject: Subject,
    pub(crate) action: Action,
}

impl Step {
    pub(crate) fn failure(&self, refusal: &Refusal) -> Failure {
        let remedy = self.action.remedy(refusal.errno);
        Failure::new(self.subject, &*self.action, refusal, remedy.as_deref())
    }
}

/// What to do, in order, and how much is as wanted already.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) kept: usize,
}

impl Plan {
    fn push(&mut self, subject: Subject, action: impl Into<Action>) {
        let action = action.into();
        self.steps.push(Step { subject, action });
    }
}

/// What turns `found` into `desired`: first all that is to be there, from the interface to the policy that uses it, then
/// the removals the other way round. So a policy never points at an SA that is gone. Pure: no kernel, no clock.
pub(crate) fn diff(desired: &Objects, found: &Objects) -> Plan {
    let mut plan = Plan::default();
    for kind in KINDS {
        kind.make_room(desired, found, &mut plan);
    }
    for kind in KINDS {
        kind.put(desired, found, &mut plan);
    }
    for kind in KINDS.iter().rev() {
        kind.remove(desired, found, &mut plan);
    }
    plan
}

/// What was found and is not wanted.
fn unwanted<'a, K: Ord, V>(
    desired: &'a BTreeMap<K, V>,
    found: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a K, &'a V)> {
    found.iter().filter(|(id, _)| !desired.contains_key(id))
}
