//! The living edges: their leases, how far they have come, and what their kernels refuse.

mod barrier;
pub(crate) mod lease;
pub(crate) mod rivals;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use distributor_client::Clock;
use proto::{Applied, Failure, Slot};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::config::Limits;
use crate::fleet::barrier::{Barrier, WaitId};
use crate::fleet::lease::{Leases, SessionId, Standing};
use crate::fleet::rivals::Rivals;

/// The living edges. The lock is held for moments only, and never while anything else is waited for.
#[derive(Debug)]
pub(crate) struct Fleet(Mutex<Members>);

#[derive(Debug)]
struct Members {
    leases: Leases,
    barrier: Barrier,
    reports: BTreeMap<Slot, Report>,
    /// The newest of each edge.
    sessions: BTreeMap<Slot, Newest>,
    rivals: Rivals,
    waiting: BTreeMap<WaitId, oneshot::Sender<()>>,
}

/// The newest session of an edge, which may have ended.
#[derive(Debug)]
struct Newest {
    address: IpAddr,
    /// Cancelled when a newer one begins.
    replaced: CancellationToken,
}

/// What an edge's kernel refuses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) failures: Vec<Failure>,
    pub(crate) failures_total: u32,
}

/// An edge as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) standing: Standing,
    pub(crate) is_lagging: bool,
    pub(crate) applied: u64,
    pub(crate) report: Report,
    /// Where the machines are that take turns as this edge; none while it is one machine.
    pub(crate) rivals: Vec<IpAddr>,
}

impl Fleet {
    /// The edges that were known when the distributor stopped.
    pub(crate) fn new(limits: &Limits, head: u64, edges: impl Iterator<Item = Slot>, now: Instant) -> Self {
        let mut leases = Leases::new(limits.lease);
        let mut barrier = Barrier::new(limits.barrier, head);
        for slot in edges {
            leases.grant(slot, now);
            barrier.resume(slot);
        }
        let (reports, sessions, rivals, waiting) = Default::default();
        Self(Mutex::new(Members {
            leases,
            barrier,
            reports,
            sessions,
            rivals,
            waiting,
        }))
    }

    /// A process at `address` begins a session as an edge that another process has been meanwhile. The addresses of both, when
    /// this is new.
    pub(crate) fn note_rival(&self, slot: Slot, address: IpAddr, now: Instant) -> Option<Vec<IpAddr>> {
        let mut members = self.lock();
        let before = members.sessions.get(&slot).map(|newest| newest.address);
        let is_new = members.rivals.note(slot, address, before, now);
        is_new.then(|| members.rivals.of(slot, now))
    }

    /// Begins an edge's session and ends the one it had.
    pub(crate) fn attach(self: &Arc<Self>, slot: Slot, address: IpAddr, now: Instant) -> Session {
        let mut members = self.lock();
        let returning = members.leases.is_held(slot, now);
        let id = members.leases.attach(slot, now);
        let replaced = CancellationToken::new();
        let newest = Newest {
            address,
            replaced: replaced.clone(),
        };
        if let Some(older) = members.sessions.insert(slot, newest) {
            older.replaced.cancel();
        }
        members.barrier.join(slot, now, returning);
        Session {
            fleet: Arc::clone(self),
            slot,
            id,
            replaced,
        }
    }

    /// True while the edge may act.
    pub(crate) fn is_lease_held(&self, slot: Slot, now: Instant) -> bool {
        self.lock().leases.is_held(slot, now)
    }

    /// There is a new revision, which edges may report from now on.
    pub(crate) fn raise(&self, head: u64) {
        self.lock().barrier.raise(head);
    }

    /// Begins to wait until the edges have applied a revision.
    pub(crate) fn wait(self: &Arc<Self>, revision: u64, durable_at: Instant) -> Wait {
        let mut members = self.lock();
        let Members {
            leases,
            barrier,
            waiting,
            ..
        } = &mut *members;
        let id = barrier.open(revision, durable_at, leases.holders(durable_at));
        let (wake, complete) = oneshot::channel();
        if barrier.is_complete(id) {
            // The receiver is here.
            let _ = wake.send(());
        } else {
            waiting.insert(id, wake);
        }
        Wait {
            fleet: Arc::clone(self),
            id,
            durable_at,
            complete,
        }
    }

    /// An edge as it stands; `None` for a slot without one.
    pub(crate) fn member(&self, slot: Slot, now: Instant) -> Option<Member> {
        let members = self.lock();
        let progress = members.barrier.progress(slot)?;
        Some(Member {
            standing: members.leases.standing(slot, now)?,
            is_lagging: progress.is_lagging(),
            applied: progress.applied,
            report: members.reports.get(&slot).cloned().unwrap_or_default(),
            rivals: members.rivals.of(slot, now),
        })
    }

    /// What an edge's kernel refuses, by key.
    pub(crate) fn failures(&self, slot: Slot) -> Vec<Failure> {
        self.lock()
            .reports
            .get(&slot)
            .map(|report| report.failures.clone())
            .unwrap_or_default()
    }

    /// Edges whose lease ended at least this long ago.
    pub(crate) fn silent_for(&self, time: Duration, now: Instant) -> Vec<Slot> {
        self.lock().leases.silent_for(time, now)
    }

    /// Forgets the edges that the log has no more. `is_known` is asked under the lock, so that it finds the record of every edge
    /// that has begun a session before.
    pub(crate) fn forget_unknown(&self, is_known: impl Fn(Slot) -> bool) {
        let mut members = self.lock();
        let gone: Vec<Slot> = members.leases.slots().filter(|slot| !is_known(*slot)).collect();
        for slot in gone {
            members.leases.forget(slot);
            members.barrier.forget(slot);
            members.reports.remove(&slot);
            members.sessions.remove(&slot);
            members.rivals.forget(slot);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        // Every change under the lock is complete before anything that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    fn wake(&mut self, complete: Vec<WaitId>) {
        for wake in complete.iter().filter_map(|id| self.waiting.remove(id)) {
            // Whoever waited may be gone.
            let _ = wake.send(());
        }
    }
}

/// An edge's session. It ends when this is dropped; the lease runs on.
#[derive(Debug)]
pub(crate) struct Session {
    fleet: Arc<Fleet>,
    slot: Slot,
    id: SessionId,
    replaced: CancellationToken,
}

/// An edge reports a revision that there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("revision {applied} cannot have been applied: the newest is {head}")]
pub(crate) struct Impossible {
    applied: u64,
    head: u64,
}

impl Session {
    /// Renews the lease, unless a newer session has it.
    pub(crate) fn renew(&self, now: Instant) -> bool {
        self.fleet.lock().leases.renew(self.slot, self.id, now)
    }

    /// Takes an edge's report, which renews the lease as well.
    pub(crate) fn report(&self, applied: Applied, now: Instant) -> Result<(), Impossible> {
        let mut members = self.fleet.lock();
        let head = members.barrier.head();
        if applied.revision > head {
            return Err(Impossible {
                applied: applied.revision,
                head,
            });
        }
        if members.leases.renew(self.slot, self.id, now) {
            let report = Report {
                failures: applied.failures,
                failures_total: applied.failures_total,
            };
            members.reports.insert(self.slot, report);
            let complete = members.barrier.advance(self.slot, applied.revision, now);
            members.wake(complete);
        }
        Ok(())
    }

    /// Returns when a newer session of the edge has begun: from where, unless the edge has been removed by now.
    pub(crate) async fn replaced(&self) -> Option<IpAddr> {
        self.replaced.cancelled().await;
        let members = self.fleet.lock();
        members.sessions.get(&self.slot).map(|newest| newest.address)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.fleet.lock().leases.detach(self.slot, self.id);
    }
}

/// Waits until the edges have applied a revision.
#[derive(Debug)]
pub(crate) struct Wait {
    fleet: Arc<Fleet>,
    id: WaitId,
    durable_at: Instant,
    complete: oneshot::Receiver<()>,
}

impl Wait {
    /// Returns when every edge of the set has applied the revision or `deadline` has passed since it became durable: how
    /// long each edge with a lease took. Those of the set that missed it leave the set.
    pub(crate) async fn finish(
        mut self,
        deadline: Duration,
        clock: &dyn Clock,
    ) -> Vec<(Slot, Option<Duration>)> {
        let end = tokio::time::Instant::from_std(self.durable_at + deadline);
        // Complete or not: the barrier knows.
        let _ = tokio::time::timeout_at(end, &mut self.complete).await;
        self.fleet.lock().barrier.close(self.id, clock.monotonic())
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut members = self.fleet.lock();
        members.waiting.remove(&self.id);
        members.barrier.cancel(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_edge_is_forgotten_when_the_log_has_it_no_more_and_not_before() {
        let [slot, other] = [1, 2].map(|number| Slot::new(number).unwrap());
        let (start, day) = (Instant::now(), Duration::from_secs(24 * 3600));
        let limits = Limits::default();
        let fleet = Fleet::new(&limits, 0, [slot, other].into_iter(), start);
        let late = start + limits.lease + day;
        let fleet = Arc::new(fleet);
        let _session = fleet.attach(other, [10, 9, 0, 2].into(), late);
        assert_eq!(fleet.silent_for(day, late), [slot]);
        fleet.forget_unknown(|_| true);
        assert_eq!(
            fleet.silent_for(day, late),
            [slot],
            "the log could not be written"
        );
        fleet.forget_unknown(|known| known == other);
        assert_eq!(fleet.silent_for(day, late), []);
        assert!(fleet.member(slot, late).is_none());
        assert!(fleet.member(other, late).is_some());
    }
}
