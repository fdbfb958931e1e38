//! Keeps the kernel equal to the wanted set.

mod kernel;
mod outcome;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Instant, SystemTime};

use netlink_sys::protocols::{NETLINK_ROUTE, NETLINK_XFRM};

use self::kernel::{Kernel, Namespaces};
pub use self::outcome::Report;
use self::outcome::{Outcome, first_of_each};
use crate::events::rate_limit::RateLimit;
use crate::events::{Event, Events, NetworkEvent, NetworkWatcher, Notice};
use crate::intent::Intent;
use crate::intent::desired::unix_seconds;
use crate::netlink::BATCH_REQUESTS;
use crate::netns;
use crate::objects::link::probe;
use crate::objects::sa::AddedTimes;
use crate::objects::{Objects, Plan, Step, diff};
use crate::{Change, Failure, Subject, TunnelId, Wanted};

/// The agent could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A netlink socket could not be had: no CAP_NET_ADMIN, or a kernel without xfrm.
    #[error("cannot open a netlink socket: {0} (needs CAP_NET_ADMIN and the kernel module xfrm_user)")]
    Socket(#[from] io::Error),
}

/// Makes the kernel equal to a [`Wanted`] set. Blocking: give it a thread of its own.
pub struct Agent {
    kernel: Kernel,
    intent: Intent,
    added: AddedTimes,
    events: Events,
    rate_limit: RateLimit,
    notices: Vec<Notice>,
    /// Named namespaces that an interface of ours may be in, besides those of the wanted tunnels.
    namespaces: BTreeSet<String>,
    failures: BTreeMap<Subject, Failure>,
    /// The kernel has been seen to know xfrm interfaces.
    knows_interfaces: bool,
}

impl Agent {
    /// Works on the network namespace of the calling thread; touches nothing yet.
    pub fn open() -> Result<Self, Error> {
        let mut kernel = Kernel::open()?;
        let events = Events::for_agent(kernel.port(NETLINK_XFRM)?)?;
        Ok(Self {
            kernel,
            intent: Intent::default(),
            added: AddedTimes::default(),
            events,
            rate_limit: RateLimit::default(),
            notices: Vec::new(),
            namespaces: BTreeSet::new(),
            failures: BTreeMap::new(),
            knows_interfaces: false,
        })
    }

    /// What the kernel ought to hold.
    pub fn wanted(&self) -> &Wanted {
        self.intent.wanted()
    }

    /// Everything the kernel refuses at present, one failure for each tunnel or child.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.failures.values()
    }

    /// What the kernel has told since the last call. There is something new when the descriptor of [`AsFd`] is readable.
    pub fn notices(&mut self) -> Vec<Notice> {
        self.read_events();
        std::mem::take(&mut self.notices)
    }

    /// Subscribes to what others do to interfaces and routes: hand it to [`Agent::observe`]. In the network namespace of
    /// the calling thread, which has to be the agent's, and within a tokio runtime that does input and output.
    pub fn watch_network(&mut self) -> io::Result<NetworkWatcher> {
        NetworkWatcher::open(self.kernel.port(NETLINK_ROUTE)?)
    }

    /// Takes note of what others have done. See [`Agent::reconcile_at`].
    pub fn observe(&mut self, event: &NetworkEvent) {
        if self.intent.is_touched_by(event) {
            self.rate_limit.request(Instant::now());
        }
    }

    /// When [`Agent::reconcile`] is due, since somebody has removed or changed what is wanted: soon, but together with
    /// what happens at the same time, and not often if another program does so again and again. `None` if there is no
    /// reason. Ask after [`Agent::notices`], which reads what the kernel tells, and after [`Agent::observe`].
    pub fn reconcile_at(&self) -> Option<Instant> {
        self.rate_limit.due()
    }

    /// Replaces the whole wanted set and reconciles: what the kernel has already stays untouched, unwanted objects go,
    /// also from named namespaces that nothing wanted uses any more.
    pub fn adopt(&mut self, wanted: Wanted) -> Report {
        self.intent.replace(wanted);
        self.namespaces = netns::names();
        self.reconcile()
    }

    /// The fast path: applies the changes to the kernel at once, in few netlink sends. Trusts that the kernel is as the
    /// last call left it; where it proves not to be, all of it is reconciled. Returns what the kernel refused of the
    /// tunnels that the changes touch.
    ///
    /// Where `expires` moves ahead by no more than five seconds the SA is left as it is: move it in larger steps.
    pub fn apply(&mut self, changes: Vec<Change>) -> Vec<Failure> {
        self.read_events();
        let now = SystemTime::now();
        let touched = changes
            .iter()
            .flat_map(|change| self.intent.tunnels_of(change))
            .collect();
        let before = self.as_left(&touched, now);
        for change in changes {
            self.intent.change(change);
        }
        let after = self.intent.desired(&touched, now);
        let plan = diff(&after.objects, &before);

        let needed = plan
            .steps
            .iter()
            .filter_map(|step| step.action.netns())
            .map(str::to_owned)
            .collect();
        let outcome = self.run(plan, &mut self.kernel.open_namespaces(&needed));
        self.namespaces.extend(needed);
        if outcome.drifted {
            let mut failures = self.reconcile().failures;
            failures.retain(|failure| self.intent.is_of(failure.subject, &touched));
            return failures;
        }
        let failures = first_of_each(after.failures.into_iter().chain(outcome.failures));
        self.failures
            .retain(|subject, _| !outcome.done.contains(subject) && self.intent.has(*subject));
        self.failures.extend(failures.clone());
        failures.into_values().collect()
    }

    /// The slow loop's step: compares everything of ours in the kernel with the wanted set and corrects what differs.
    pub fn reconcile(&mut self) -> Report {
        self.read_events();
        let began = Instant::now();
        let was_requested = self.rate_limit.begin();
        let report = self.reconcile_now();
        if was_requested {
            self.rate_limit.charge(began, Instant::now());
        }
        report
    }

    fn reconcile_now(&mut self) -> Report {
        let now = SystemTime::now();
        self.namespaces.extend(self.intent.namespaces());
        let mut namespaces = self.kernel.open_namespaces(&self.namespaces);
        let found = match self.kernel.read(&mut namespaces) {
            Ok(found) => found,
            Err(error) => return self.cannot_read(error),
        };
        self.added = AddedTimes::of(&found);
        let desired = self.intent.desired(&self.intent.all(), now);
        let plan = diff(&desired.objects, &found);

        self.knows_interfaces |= !found.links.is_empty();
        let unable = self.probe(&mut namespaces);
        let adopted = plan.kept;
        let outcome = self.run(plan, &mut namespaces);
        // The others of this machine, containers' say, would cost each pass the more the more of them there are.
        self.namespaces = found.namespaces();
        let failures = unable.into_iter().chain(desired.failures).chain(outcome.failures);
        self.failures = first_of_each(failures);
        let failures = self.failures().cloned().collect();
        Report {
            adopted,
            added: outcome.added,
            updated: outcome.updated,
            removed: outcome.removed,
            failures,
        }
    }

    /// How the last call left these tunnels in the kernel, as far as it knows.
    fn as_left(&self, tunnels: &BTreeSet<TunnelId>, now: SystemTime) -> Objects {
        let mut objects = self.intent.desired(tunnels, now).objects;
        self.added.fill_in(&mut objects);
        objects
    }

    /// Remembers SAs that the kernel removed because of their packet limit, those that are about to get there, and that
    /// something wanted is gone.
    fn read_events(&mut self) {
        let now = SystemTime::now();
        while let Ok(event) = self.events.next() {
            let is_missing = match event {
                Event::Warned(sa) => {
                    self.notices.extend(self.intent.notice(sa.id));
                    false
                }
                Event::Moved(moved) => {
                    self.notices.extend(self.intent.notice_of_move(moved));
                    false
                }
                Event::Expired(sa) if sa.exhausted => {
                    self.intent.note_exhausted(sa.id);
                    false
                }
                Event::Expired(sa) | Event::Deleted(sa) => self.intent.wants_sa(sa.id, now),
                Event::PolicyDeleted(tunnel) => self.intent.has_children(tunnel),
                Event::Flushed | Event::PoliciesFlushed | Event::Lost => {
                    !self.intent.wanted().children.is_empty()
                }
            };
            if is_missing {
                self.rate_limit.request(Instant::now());
            }
        }
    }

    /// Carries a plan out, a batch at a time.
    fn run(&mut self, plan: Plan, namespaces: &mut Namespaces) -> Outcome {
        let mut outcome = Outcome::default();
        for steps in plan.steps.chunks(BATCH_REQUESTS) {
            let now = unix_seconds(SystemTime::now());
            let results = self.kernel.run(steps, namespaces, now);
            for (step, result) in steps.iter().zip(results) {
                match result {
                    Err(refusal) if !step.action.is_done_already(&refusal) => {
                        outcome.drifted |= step.action.is_drift(&refusal);
                        outcome.failures.push(step.failure(&refusal));
                    }
                    _ => {
                        outcome.count(step);
                        self.added.note(&step.action, now);
                    }
                }
            }
        }
        outcome
    }

    /// Makes an interface and removes it in one send, until that has worked once: an edge that can carry nothing is to
    /// be found out before its first tunnel.
    fn probe(&mut self, namespaces: &mut Namespaces) -> Option<Failure> {
        if self.knows_interfaces {
            return None;
        }
        let steps = probe().map(|action| Step {
            subject: Subject::Kernel,
            action: action.into(),
        });
        let made = self.kernel.run(&steps, namespaces, 0).into_iter().next()?;
        self.knows_interfaces = made.is_ok();
        let [create, _remove] = &steps;
        made.err().map(|refusal| create.failure(&refusal))
    }

    /// Nothing could be read, so nothing is changed.
    fn cannot_read(&mut self, error: io::Error) -> Report {
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

impl AsFd for Agent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}
