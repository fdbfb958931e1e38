//! Keeps the kernel equal to the wanted set.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::SystemTime;

use crate::desired::{Desired, unix_seconds};
use crate::diff::{Action, Plan, diff};
use crate::events::{Event, Events};
use crate::kernel::{Kernel, Namespaces};
use crate::netns;
use crate::state::SaId;
use crate::{Change, Child, Failure, Subject, TunnelId, Wanted};

/// What one pass over the kernel found and did, in interfaces, routes, SAs and policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Were there already, as wanted.
    pub adopted: usize,
    /// Were missing, or had to be made anew.
    pub added: usize,
    /// Were changed in place: counters and sequence numbers go on.
    pub updated: usize,
    /// Strays of ours that were removed, and what stood in the way.
    pub removed: usize,
    /// What the kernel refused in this pass, one for each tunnel or child.
    pub failures: Vec<Failure>,
}

/// The agent could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A netlink socket could not be had: no CAP_NET_ADMIN, or a kernel without xfrm.
    #[error("cannot open a netlink socket: {0} (needs CAP_NET_ADMIN and the kernel module xfrm_user)")]
    Socket(#[from] io::Error),
}

/// Makes the kernel equal to a [`Wanted`] set. Blocking: give it a thread of its own.
pub struct Agent {
    kernel: Kernel,
    wanted: Wanted,
    /// The children of each tunnel, by inbound SPI.
    children_of: BTreeMap<TunnelId, BTreeSet<u32>>,
    /// When the kernel added each SA, in seconds of Unix time: what its lifetime is relative to.
    added: BTreeMap<SaId, u64>,
    expiries: Events,
    /// SAs that the kernel removed since they had carried all the packets they may, each with that limit. Making one
    /// anew would give the key another round.
    exhausted: BTreeMap<SaId, Option<u64>>,
    /// Every namespace that an interface of ours may be in.
    namespaces: BTreeSet<String>,
    failures: BTreeMap<Subject, Failure>,
}

impl Agent {
    /// Works on the network namespace of the calling thread; touches nothing yet.
    pub fn open() -> Result<Self, Error> {
        Ok(Self {
            kernel: Kernel::open()?,
            wanted: Wanted::default(),
            children_of: BTreeMap::new(),
            added: BTreeMap::new(),
            expiries: Events::expiries()?,
            exhausted: BTreeMap::new(),
            namespaces: BTreeSet::new(),
            failures: BTreeMap::new(),
        })
    }

    /// What the kernel ought to hold.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Everything the kernel refuses at present, one failure for each tunnel or child.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.failures.values()
    }

    /// Replaces the whole wanted set and reconciles: what the kernel has already stays untouched, strays go, also from
    /// named namespaces that nothing wanted uses any more.
    pub fn adopt(&mut self, wanted: Wanted) -> Report {
        self.wanted = Wanted::default();
        self.children_of.clear();
        self.namespaces = netns::names();
        for (id, tunnel) in wanted.tunnels {
            self.change(Change::PutTunnel(id, tunnel));
        }
        for child in wanted.children.into_values() {
            self.change(Change::PutChild(child));
        }
        self.reconcile()
    }

    /// The fast path: brings the changes into the kernel at once, in few netlink sends. Trusts that the kernel is as the
    /// last call left it; where it proves not to be, all of it is reconciled. Returns what the kernel refused.
    ///
    /// Of an SA whose `expires` moves by a few seconds only nothing is changed: move it in larger steps.
    pub fn apply(&mut self, changes: Vec<Change>) -> Vec<Failure> {
        self.note_expiries();
        let now = SystemTime::now();
        let touched: BTreeSet<TunnelId> = changes
            .iter()
            .flat_map(|change| self.tunnels_of(change))
            .collect();
        let before = self.desired(&touched, now);
        for change in changes {
            self.change(change);
        }
        let after = self.desired(&touched, now);
        let plan = diff(&after.state, &before.state);

        let needed = plan
            .steps
            .iter()
            .filter_map(|step| step.action.netns())
            .map(str::to_owned)
            .collect();
        let mut namespaces = self.kernel.reach(&needed);
        let outcome = self.run(plan, &mut namespaces, now);
        if outcome.drifted {
            return self.reconcile().failures;
        }
        for subject in &outcome.done {
            self.failures.remove(subject);
        }
        let wanted = &self.wanted;
        self.failures.retain(|subject, _| is_wanted(wanted, *subject));
        let failures: Vec<_> = after.failures.into_iter().chain(outcome.failures).collect();
        self.failures
            .extend(failures.iter().map(|failure| (failure.subject, failure.clone())));
        failures
    }

    /// The slow loop's step: compares everything of ours in the kernel with the wanted set and mends what differs.
    pub fn reconcile(&mut self) -> Report {
        self.note_expiries();
        let now = SystemTime::now();
        let mut namespaces = self.kernel.reach(&self.namespaces);
        let found = match self.kernel.dump(&mut namespaces) {
            Ok(found) => found,
            Err(error) => return self.blind(error),
        };
        self.added = found.sas.iter().map(|(id, sa)| (*id, sa.added)).collect();
        let all = self.wanted.tunnels.keys().copied().collect();
        let desired = self.desired(&all, now);
        let plan = diff(&desired.state, &found);

        let adopted = plan.kept;
        let mut outcome = self.run(plan, &mut namespaces, now);
        let mut failures = desired.failures;
        failures.append(&mut outcome.failures);
        self.failures = failures
            .iter()
            .map(|failure| (failure.subject, failure.clone()))
            .collect();
        Report {
            adopted,
            added: outcome.added,
            updated: outcome.updated,
            removed: outcome.removed,
            failures,
        }
    }
}

/// What became of a plan.
#[derive(Default)]
struct Outcome {
    added: usize,
    updated: usize,
    removed: usize,
    /// Of steps that were done.
    done: BTreeSet<Subject>,
    /// The first of each subject; the others follow from it.
    failures: Vec<Failure>,
    /// The kernel was not as the plan took it to be.
    drifted: bool,
}

impl Agent {
    fn change(&mut self, change: Change) {
        match change {
            Change::PutTunnel(id, tunnel) => {
                self.namespaces.extend(tunnel.netns.clone());
                self.wanted.tunnels.insert(id, tunnel);
            }
            Change::RemoveTunnel(id) => {
                self.wanted.tunnels.remove(&id);
                for spi in self.children_of.remove(&id).into_iter().flatten() {
                    self.wanted.children.remove(&spi);
                }
            }
            Change::PutChild(child) => {
                self.remove_child(child.inbound_spi);
                self.children_of
                    .entry(child.tunnel)
                    .or_default()
                    .insert(child.inbound_spi);
                self.wanted.children.insert(child.inbound_spi, child);
            }
            Change::RemoveChild(spi) => self.remove_child(spi),
        }
    }

    fn remove_child(&mut self, spi: u32) {
        if let Some(child) = self.wanted.children.remove(&spi)
            && let Some(spis) = self.children_of.get_mut(&child.tunnel)
        {
            spis.remove(&spi);
        }
    }

    /// The tunnels whose objects a change may touch.
    fn tunnels_of(&self, change: &Change) -> Vec<TunnelId> {
        let tunnel_of = |spi| self.wanted.children.get(spi).map(|child: &Child| child.tunnel);
        match change {
            Change::PutTunnel(id, _) | Change::RemoveTunnel(id) => vec![*id],
            Change::PutChild(child) => tunnel_of(&child.inbound_spi)
                .into_iter()
                .chain([child.tunnel])
                .collect(),
            Change::RemoveChild(spi) => tunnel_of(spi).into_iter().collect(),
        }
    }

    /// The objects that these tunnels ask for at present.
    fn desired(&self, tunnels: &BTreeSet<TunnelId>, now: SystemTime) -> Desired {
        let mut desired = Desired::default();
        for id in tunnels {
            if let Some(tunnel) = self.wanted.tunnels.get(id) {
                desired.add_tunnel(*id, tunnel);
                let spis = self.children_of.get(id).into_iter().flatten();
                desired.add_children(spis.filter_map(|spi| self.wanted.children.get(spi)), now);
            }
        }
        desired.drop_exhausted(&self.exhausted);
        for (id, sa) in &mut desired.state.sas {
            sa.added = self.added.get(id).copied().unwrap_or(sa.added);
        }
        desired
    }

    /// Remembers SAs that the kernel removed because of their packet limit.
    fn note_expiries(&mut self) {
        while let Ok(event) = self.expiries.next() {
            if let Event::Expired(gone) = event
                && gone.exhausted
            {
                self.exhausted.insert(gone.id, gone.packet_limit);
            }
        }
    }

    fn run(&mut self, plan: Plan, namespaces: &mut Namespaces, now: SystemTime) -> Outcome {
        let results = self.kernel.run(&plan.steps, namespaces);
        let mut outcome = Outcome::default();
        let mut failed = BTreeSet::new();
        for (step, result) in plan.steps.iter().zip(results) {
            match result {
                Err(refusal) if !step.action.is_done_already(&refusal) => {
                    outcome.drifted |= step.action.is_drift(&refusal);
                    if failed.insert(step.subject) {
                        outcome.failures.push(Failure::new(step, &refusal));
                    }
                }
                _ => {
                    outcome.count(&step.action);
                    outcome.done.insert(step.subject);
                    self.note_added(&step.action, now);
                }
            }
        }
        outcome
    }

    fn note_added(&mut self, action: &Action, now: SystemTime) {
        match action {
            Action::AddSa(id, _) => {
                self.added.insert(*id, unix_seconds(now));
            }
            Action::RemoveSa(id) => {
                self.added.remove(id);
            }
            _ => {}
        }
    }

    /// Nothing could be read, so nothing is changed.
    fn blind(&mut self, error: io::Error) -> Report {
        let failure = Failure {
            subject: Subject::Kernel,
            errno: error.raw_os_error().unwrap_or(0),
            text: format!("cannot read the kernel's tables: {error}"),
        };
        self.failures.insert(Subject::Kernel, failure.clone());
        Report {
            failures: vec![failure],
            ..Report::default()
        }
    }
}

impl Outcome {
    fn count(&mut self, action: &Action) {
        match action {
            Action::CreateLink(..) | Action::AddRoute(_) | Action::AddSa(..) | Action::PutPolicy(..) => {
                self.added += 1;
            }
            Action::SetLink(..) | Action::UpdateSa(..) => self.updated += 1,
            Action::RemoveLink(_)
            | Action::RemoveRoute(_)
            | Action::RemoveSa(_)
            | Action::RemovePolicy(_) => {
                self.removed += 1;
            }
            Action::MoveLink(..) => {}
        }
    }
}

fn is_wanted(wanted: &Wanted, subject: Subject) -> bool {
    match subject {
        Subject::Tunnel(id) => wanted.tunnels.contains_key(&id),
        Subject::Child(spi) => wanted.children.contains_key(&spi),
        Subject::Kernel => true,
    }
}
