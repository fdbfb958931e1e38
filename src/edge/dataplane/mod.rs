//! The thread that keeps this machine's kernel equal to the replica.
//!
//! A thread and not a task, because netlink calls block, and because SAs and policies belong to the network namespace of
//! the thread that makes them.

pub(crate) mod notifier;
mod packet_limit;
pub(crate) mod plan;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use distributor_client::replica::{Cursor, Update};
use distributor_client::state::AppliedReport;
use proto::Resume;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tracing::{debug, info, warn};
use xfrm::{Agent, NetworkEvent, NetworkWatcher};

use self::notifier::Notifier;
use self::packet_limit::packet_limit;
use self::plan::{Planner, Terms};
use crate::Limits;
use crate::metrics::KernelObjects;
use crate::shared::Shared;

/// The SA leases are moved ahead when this part of them has passed.
const RENEW_AFTER: u32 = 4;

/// What the thread is made of.
pub(crate) struct Kernel {
    pub(crate) shared: Shared,
    pub(crate) planner: Planner,
    pub(crate) installed: watch::Sender<Option<AppliedReport>>,
    notifier: Notifier,
    reconcile_interval: Duration,
    sa_lease: Duration,
}

impl Kernel {
    pub(crate) fn new(
        shared: Shared,
        limits: &Limits,
        installed: watch::Sender<Option<AppliedReport>>,
        notifier: Notifier,
    ) -> Self {
        Self {
            planner: Planner::new(Arc::clone(&shared.fleet_key), limits.sa_lease),
            shared,
            installed,
            notifier,
            reconcile_interval: limits.reconcile,
            sa_lease: limits.sa_lease,
        }
    }

    /// Starts the thread, which uses this runtime's timers; it ends when the session's state is gone. What the kernel has it keeps:
    /// forwarding goes on.
    pub(crate) fn start(self, mut agent: Agent) -> io::Result<JoinHandle<()>> {
        let runtime = Handle::current();
        let events = watch(&agent)?;
        let network = agent.watch_network()?;
        let thread = std::thread::Builder::new().name("kernel".into());
        thread.spawn(move || Loop::new(self, agent).run(&runtime, &events, network))
    }
}

/// Readable when the kernel has told the agent something.
#[allow(unsafe_code, reason = "the registration's only form")]
fn watch(agent: &Agent) -> io::Result<AsyncFd<OwnedFd>> {
    let events = agent.as_fd().try_clone_to_owned()?;
    // SAFETY: a descriptor of our own, which nothing closes or replaces before the registration ends.
    let registered = unsafe { AsyncFd::register_with_interest(events, Interest::READABLE) };
    Ok(registered?)
}

/// Where the thread stands.
struct Loop {
    kernel: Kernel,
    agent: Agent,
    /// `None` until a first state of the replica is in the kernel.
    done: Option<Done>,
    /// As it was last set for all child SAs.
    packet_limit: u64,
    renewed: Instant,
}

/// What of the replica is in the kernel.
#[derive(Clone, Copy)]
struct Done {
    cursor: Cursor,
    position: Resume,
    /// When the replica was read.
    began: Instant,
}

/// Why the thread woke up.
enum Wake {
    Update,
    Events,
    Network(NetworkEvent),
    Reconcile,
    End,
}

impl Loop {
    fn new(kernel: Kernel, agent: Agent) -> Self {
        Self {
            kernel,
            agent,
            done: None,
            packet_limit: packet_limit(0),
            renewed: Instant::now(),
        }
    }

    fn run(mut self, runtime: &Handle, events: &AsyncFd<OwnedFd>, mut network: NetworkWatcher) {
        let mut interval = {
            let _guard = runtime.enter();
            tokio::time::interval(self.kernel.reconcile_interval)
        };
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Something wanted is gone, and the kernel has said so.
            let due = self.done.and_then(|_| self.agent.reconcile_at());
            let wake = runtime.block_on(async {
                tokio::select! {
                    changed = self.kernel.shared.session.changed() => changed.map_or(Wake::End, |()| Wake::Update),
                    _ = interval.tick() => Wake::Reconcile,
                    () = until(due) => Wake::Reconcile,
                    event = network.next() => Wake::Network(event),
                    readable = events.readable() => readable.map_or(Wake::End, |mut readable| {
                        readable.clear_ready();
                        Wake::Events
                    }),
                }
            });
            match wake {
                Wake::Update => self.catch_up(),
                Wake::Reconcile => self.reconcile(),
                // They are read below, whatever has brought them to light.
                Wake::Events => {}
                Wake::Network(event) => self.agent.observe(&event),
                Wake::End => return,
            }
            for notice in self.agent.notices() {
                self.kernel.notifier.tell(notice.into());
            }
            self.renew_if_due();
        }
    }

    /// Everything that arrived since the last time goes into the kernel in one batch.
    fn catch_up(&mut self) {
        let began = Instant::now();
        let cursor = self.done.map(|done| done.cursor);
        let Some(update) = self.kernel.shared.replica.read().since(cursor) else {
            return;
        };
        if self.done.is_some_and(|done| done.position == update.position) {
            return;
        }
        if update.whole {
            self.adopt(&update);
        } else {
            self.apply(&update);
        }
        self.done = Some(Done {
            cursor: update.cursor,
            position: update.position,
            began,
        });
        self.report();
    }

    /// The first thing in the life of this process: what a previous one left in the kernel stays, if it is still wanted.
    fn adopt(&mut self, update: &Update) {
        self.packet_limit = packet_limit(update.senders);
        self.renewed = Instant::now();
        let wanted = self.kernel.planner.wanted(&update.records, self.terms());
        let report = self.agent.adopt(wanted);
        info!(
            adopted = report.adopted,
            added = report.added,
            updated = report.updated,
            removed = report.removed,
            "adopted the kernel's state"
        );
        warn_of(&report.failures);
        self.count(&report);
    }

    fn apply(&mut self, update: &Update) {
        let is_other_limit = packet_limit(update.senders) != self.packet_limit;
        self.packet_limit = packet_limit(update.senders);
        let terms = self.terms();
        let changes = self.kernel.planner.changes(&update.records, terms);
        let number = changes.len();
        let begun = Instant::now();
        let refused = self.agent.apply(changes);
        let took = begun.elapsed();
        self.kernel.shared.metrics.time_install(took);
        debug!(?took, number, "applied changes to the kernel");
        warn_of(&refused);
        if is_other_limit {
            self.renew();
        }
    }

    /// The slow loop's step, and what an event calls for: corrects what somebody else changed, and removes what belonged to
    /// an SA that has expired.
    fn reconcile(&mut self) {
        if self.done.is_none() {
            return; // Nothing is wanted yet as far as we know, and all that is there would go.
        }
        let begun = Instant::now();
        let report = self.agent.reconcile();
        debug!(took = ?begun.elapsed(), kept = report.adopted, "compared the kernel with the records");
        if report.added + report.updated + report.removed > 0 {
            warn!(
                added = report.added,
                updated = report.updated,
                removed = report.removed,
                "corrected what differed in the kernel"
            );
        }
        self.count(&report);
        self.report();
    }

    /// Moves the SA leases ahead, but only in sync: else a revocation may have been missed.
    fn renew_if_due(&mut self) {
        let is_due = self.renewed.elapsed() > self.kernel.sa_lease / RENEW_AFTER;
        if self.done.is_some() && is_due && self.is_in_sync() {
            self.renew();
        }
    }

    /// Renews expiry and packet limit of every child SA.
    fn renew(&mut self) {
        debug!(
            packet_limit = self.packet_limit,
            "renewing the SA leases and packet limits"
        );
        let records = self.kernel.shared.replica.read().child_sas();
        let terms = self.terms();
        let changes = self.kernel.planner.changes(&records, terms);
        self.agent.apply(changes);
        self.renewed = Instant::now();
    }

    fn terms(&self) -> Terms {
        Terms {
            now: SystemTime::now(),
            packet_limit: self.packet_limit,
        }
    }

    /// While the lease runs and the kernel has everything, the distributor could have told us of a revocation.
    fn is_in_sync(&self) -> bool {
        let session = self.kernel.shared.session.borrow();
        session.lease(Instant::now()).is_some() && session.behind_since.is_none()
    }

    /// Says how far the kernel is and what it refuses, unless that was said already.
    fn report(&self) {
        let slot = self.kernel.shared.session.borrow().grant.map(|grant| grant.slot);
        let (Some(done), Some(slot)) = (self.done, slot) else {
            return; // No record comes before the first lease.
        };
        let failures = self.kernel.planner.failures(self.agent.failures(), slot);
        self.kernel.installed.send_if_modified(|installed| {
            let said = installed
                .as_ref()
                .is_some_and(|said| said.position == done.position && said.failures == failures);
            if !said {
                *installed = Some(AppliedReport {
                    position: done.position,
                    began: done.began,
                    failures,
                });
            }
            !said
        });
    }

    fn count(&self, report: &xfrm::Report) {
        let metrics = &self.kernel.shared.metrics;
        metrics.add(KernelObjects::Added, report.added as u64);
        metrics.add(KernelObjects::Updated, report.updated as u64);
        metrics.add(KernelObjects::Removed, report.removed as u64);
    }
}

/// Never returns without a time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

fn warn_of(refused: &[xfrm::Failure]) {
    if let Some(first) = refused.first() {
        warn!(number = refused.len(), first = %first.text, "the kernel refuses changes; `anyswan fleet status` lists them");
    }
}
