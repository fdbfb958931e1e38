//! Compares what ought to be in the kernel with what is there. Pure: no kernel, no clock.

use std::collections::{BTreeMap, BTreeSet};

use rustix::io::Errno;

use super::{Link, LinkId, Policy, PolicyId, Route, Sa, SaId, State};
use crate::Subject;
use crate::netlink::Refusal;

/// An SA may end this many seconds earlier or later than wanted: an update costs as much as a new SA, and when exactly
/// the kernel added an SA that was sent among many is not known.
const TOLERANCE_SECONDS: u64 = 5;

/// One thing to do, and whose it is.
pub(crate) struct Step {
    pub(crate) subject: Subject,
    pub(crate) action: Action,
}

/// What to do. In the order of [`Action`]s that [`diff`] gives, nothing is used before it is there.
pub(crate) enum Action {
    /// Creates the interface in the edge's own namespace, whatever the one it goes to.
    CreateLink(LinkId, Link),
    /// Moves a just created interface to its namespace.
    MoveLink(LinkId, Link),
    /// Sets a moved interface up.
    RaiseLink(LinkId, Link),
    /// Mends MTU and state of an interface that was there.
    SetLink(LinkId, Link),
    RemoveLink(LinkId),
    AddRoute(Route),
    RemoveRoute(Route),
    AddSa(SaId, Sa),
    /// Limits and ports; the rest of an SA cannot be changed in place.
    UpdateSa(SaId, Sa),
    RemoveSa(SaId),
    /// Adds or replaces.
    PutPolicy(PolicyId, Policy),
    RemovePolicy(PolicyId),
}

impl Action {
    /// The named namespace it needs, beside the edge's own.
    pub(crate) fn netns(&self) -> Option<&str> {
        match self {
            Self::CreateLink(id, _)
            | Self::MoveLink(id, _)
            | Self::RaiseLink(id, _)
            | Self::SetLink(id, _)
            | Self::RemoveLink(id) => id.netns.as_deref(),
            Self::AddRoute(route) | Self::RemoveRoute(route) => route.link.netns.as_deref(),
            _ => None,
        }
    }

    /// True when a refusal says that there is nothing left to do.
    pub(crate) fn is_done_already(&self, refusal: &Refusal) -> bool {
        let is_removal = matches!(
            self,
            Self::RemoveLink(_) | Self::RemoveRoute(_) | Self::RemoveSa(_) | Self::RemovePolicy(_)
        );
        is_removal && matches!(refusal.errno, Errno::NOENT | Errno::SRCH | Errno::NODEV)
    }

    /// True when a refusal says that the kernel is not as it was taken to be, or leaves open how it is.
    pub(crate) fn is_drift(&self, refusal: &Refusal) -> bool {
        let unexpected: &[Errno] = match self {
            Self::CreateLink(..) | Self::AddSa(..) => &[Errno::EXIST, Errno::BUSY],
            Self::AddRoute(_) => &[Errno::EXIST, Errno::NODEV, Errno::NETDOWN],
            Self::MoveLink(..) | Self::RaiseLink(..) | Self::SetLink(..) => &[Errno::NODEV],
            Self::UpdateSa(..) => &[Errno::SRCH, Errno::INVAL],
            _ => &[],
        };
        refusal.is_lost() || unexpected.contains(&refusal.errno)
    }
}

/// What to do, in order, and how much is well already.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) kept: usize,
}

/// What turns `found` into `desired`: first all that is to be there, from the interface to the policy that uses it, then
/// the removals the other way round. So a policy never points at an SA that is gone.
pub(crate) fn diff(desired: &State, found: &State) -> Plan {
    let mut plan = Plan::default();
    plan.make_room(desired, found);
    plan.links(desired, found);
    plan.routes(desired, found);
    plan.sas(desired, found, true);
    plan.sas(desired, found, false);
    plan.policies(desired, found);
    plan.remove(desired, found);
    plan
}

impl Plan {
    fn push(&mut self, subject: Subject, action: Action) {
        self.steps.push(Step { subject, action });
    }

    /// An `if_id`, and a name, can be had once: the wrong interface goes before the right one comes.
    fn make_room(&mut self, desired: &State, found: &State) {
        for id in misplaced(desired, found) {
            self.push(Subject::Tunnel(id.tunnel), Action::RemoveLink(id.clone()));
        }
    }

    fn links(&mut self, desired: &State, found: &State) {
        let mut moves = Vec::new();
        let mut settings = Vec::new();
        for (id, link) in &desired.links {
            let subject = Subject::Tunnel(id.tunnel);
            match found.links.get(id) {
                Some(there) if there == link => self.kept += 1,
                Some(there) if there.name == link.name => {
                    settings.push(Step {
                        subject,
                        action: Action::SetLink(id.clone(), link.clone()),
                    });
                }
                _ => {
                    self.push(subject, Action::CreateLink(id.clone(), link.clone()));
                    if id.netns.is_some() {
                        moves.push(Step {
                            subject,
                            action: Action::MoveLink(id.clone(), link.clone()),
                        });
                        settings.push(Step {
                            subject,
                            action: Action::RaiseLink(id.clone(), link.clone()),
                        });
                    }
                }
            }
        }
        self.steps.append(&mut moves);
        self.steps.append(&mut settings);
    }

    /// Strays first, as a prefix may have moved from one tunnel to another. Routes go with their interface: one that
    /// leaves takes its own along, one that is created anew has none.
    fn routes(&mut self, desired: &State, found: &State) {
        for route in found.routes.difference(&desired.routes) {
            if stays(desired, found, &route.link) {
                self.push(
                    Subject::Tunnel(route.link.tunnel),
                    Action::RemoveRoute(route.clone()),
                );
            }
        }
        for route in &desired.routes {
            if found.routes.contains(route) && stays(desired, found, &route.link) {
                self.kept += 1;
            } else {
                self.push(
                    Subject::Tunnel(route.link.tunnel),
                    Action::AddRoute(route.clone()),
                );
            }
        }
    }

    fn sas(&mut self, desired: &State, found: &State, inbound: bool) {
        for (id, sa) in desired
            .sas
            .iter()
            .filter(|(id, sa)| sa.is_inbound(**id) == inbound)
        {
            match found.sas.get(id).map(|there| (compare(sa, there), there)) {
                Some((Comparison::Same, _)) => self.kept += 1,
                Some((Comparison::Updatable, there)) => {
                    let update = Sa {
                        added: there.added,
                        ..sa.clone()
                    };
                    self.push(sa.owner, Action::UpdateSa(*id, update));
                }
                Some((Comparison::Other, _)) => {
                    self.push(sa.owner, Action::RemoveSa(*id));
                    self.push(sa.owner, Action::AddSa(*id, sa.clone()));
                }
                None => self.push(sa.owner, Action::AddSa(*id, sa.clone())),
            }
        }
    }

    fn policies(&mut self, desired: &State, found: &State) {
        for (id, policy) in &desired.policies {
            let same = found
                .policies
                .get(id)
                .is_some_and(|there| there.template == policy.template && there.priority == policy.priority);
            if same {
                self.kept += 1;
            } else {
                self.push(policy.owner, Action::PutPolicy(*id, policy.clone()));
            }
        }
    }

    fn remove(&mut self, desired: &State, found: &State) {
        for (id, policy) in strays(&desired.policies, &found.policies) {
            self.push(policy.owner, Action::RemovePolicy(*id));
        }
        for (id, sa) in strays(&desired.sas, &found.sas) {
            self.push(sa.owner, Action::RemoveSa(*id));
        }
        let misplaced = misplaced(desired, found);
        for (id, _) in strays(&desired.links, &found.links) {
            if !misplaced.contains(id) {
                self.push(Subject::Tunnel(id.tunnel), Action::RemoveLink(id.clone()));
            }
        }
    }
}

/// True for an interface that is there before and after.
fn stays(desired: &State, found: &State, id: &LinkId) -> bool {
    match (desired.links.get(id), found.links.get(id)) {
        (Some(wanted), Some(there)) => wanted.name == there.name,
        _ => false,
    }
}

/// Interfaces that stand in the way of a wanted one: of the same tunnel, or of the same name in the same namespace.
fn misplaced<'a>(desired: &State, found: &'a State) -> BTreeSet<&'a LinkId> {
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

fn strays<'a, K: Ord, V>(
    desired: &'a BTreeMap<K, V>,
    found: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a K, &'a V)> {
    found.iter().filter(|(id, _)| !desired.contains_key(id))
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
