//! The threads that run the IKE responders: datagrams, timers and what changes in the fleet in; datagrams and commits out.

mod admission;
mod author;
mod commit;
mod convert;
mod draft;
mod host;
mod journal;
mod ownership;
mod tunnels;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use distributor_client::lease::LeaseGrant;
use distributor_client::replica::{Cursor, Replica};
use ike::{CommitId, CommitOutcome, Limits, Transmit};
use proto::{Resume, v1};
use tokio::task::JoinSet;
use tracing::warn;

use self::admission::Admission;
use self::author::Author;
use self::commit::{Committer, Refused};
use self::host::FleetHost;
use self::journal::Journal;
use self::ownership::{Ownership, Reader};
use self::tunnels::Tunnels;
use crate::Config;
use crate::ingress::dispatch::Place;
use crate::ingress::input::{Datagram, Input};
use crate::ingress::notice::Notice;
use crate::ingress::sockets::Sockets;
use crate::metrics::{Commits, Datagrams, Metrics};
use crate::shared::Shared;

/// Commits of this edge on their way at once; the responders keep the others until there is room.
const COMMITS: usize = 1024;

/// Inputs that are taken out of the queue at once, before others come to have a turn.
const BATCH: usize = 16;

/// How long commits on their way may take when the process is about to end: the barrier's deadline, and some.
const DRAIN: Duration = Duration::from_secs(3);

/// What a thread is made of.
pub(crate) struct Negotiator {
    shared: Shared,
    limits: Limits,
    quick_crash_detection: bool,
    sa_lifetime: Duration,
    sockets: Arc<Sockets>,
    common: Arc<Common>,
    /// Which of the edge's responders it runs.
    place: Place,
}

/// What all threads of the edge have in common, since it is the edge's and not each of theirs.
pub(crate) struct Common {
    shared: ike::Shared,
    tunnels: Tunnels,
    admission: Mutex<Admission>,
    journal: Mutex<Journal>,
}

impl Common {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self {
            shared: ike::Shared::default(),
            tunnels: Tunnels::default(),
            admission: Mutex::default(),
            journal: Mutex::new(Journal::new(metrics)),
        }
    }

    fn admission(&self) -> MutexGuard<'_, Admission> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A commit that has ended.
struct Ended {
    id: CommitId,
    ike: ike::IkeSpis,
    /// Empty when nobody knows it any more.
    tunnel: String,
    /// When its IKE_AUTH request was taken, if it makes a new IKE SA.
    handshake: Option<Instant>,
    /// `None` when it was given up.
    outcome: Option<Result<(), Refused>>,
}

/// The responder of one lease grant. Another grant needs another one, which restores the same IKE SAs from their records: a
/// responder's IVs are unique because its incarnation is.
struct Running {
    grant: LeaseGrant,
    responder: ike::Responder,
    ownership: Ownership,
    /// `None` until it knows what the fleet knows.
    cursor: Option<Cursor>,
    /// Where the replica was when it was read last.
    read: Option<Resume>,
    commits: JoinSet<Ended>,
    /// When the input that was handled last was taken.
    took_input: Instant,
}

impl Running {
    fn take_input(&mut self, input: Input) {
        let now = Instant::now();
        self.took_input = now;
        match input {
            Input::Datagram(Datagram { path, payload }) => {
                self.responder.handle_datagram(now, path, &payload)
            }
            Input::Notice(Notice::Used(spi)) => self.responder.handle_child_used(now, spi),
            Input::Notice(Notice::NearLimit(spi)) => self.responder.handle_child_near_limit(now, spi),
            Input::Notice(Notice::Moved(spi, peer)) => self.responder.handle_child_moved(now, spi, peer),
        }
    }
}

impl Negotiator {
    pub(crate) fn new(
        shared: Shared,
        config: &Config,
        sockets: Arc<Sockets>,
        common: Arc<Common>,
        place: Place,
    ) -> Self {
        let limits = &config.limits;
        Self {
            shared,
            limits: limits.of_ike(),
            quick_crash_detection: config.quick_crash_detection,
            sa_lifetime: limits.sa_lifetime,
            sockets,
            common,
            place,
        }
    }

    /// Runs until `draining` says so and the commits on their way have ended, or whoever could say so is gone.
    pub(crate) async fn run(mut self) {
        let mut running = None;
        let mut deadline = None;
        loop {
            self.turn(&mut running);
            if self.shared.draining.has_changed().is_err() {
                return;
            }
            if self.shared.is_draining() {
                let end = *deadline.get_or_insert_with(|| Instant::now() + DRAIN);
                if Instant::now() >= end || running.as_ref().is_none_or(|running| running.commits.is_empty())
                {
                    return;
                }
            }
            self.wait(&mut running, deadline).await;
        }
    }

    /// Waits for something to handle, and handles it.
    async fn wait(&mut self, running: &mut Option<Running>, drained_by: Option<Instant>) {
        let lease = self.shared.lease(Instant::now());
        let Some(current) = running.as_mut().filter(|_| lease.is_some()) else {
            tokio::select! {
                _ = self.shared.session.changed() => {}
                _ = self.shared.draining.changed() => {}
                () = self.place.queue().wait() => self.take_early_inputs(running),
                () = sleep_until(drained_by) => {}
            }
            return;
        };
        let until = [
            current.responder.poll_timeout(),
            lease.map(|lease| lease.until),
            drained_by,
        ];
        tokio::select! {
            () = self.place.queue().wait() => self.take_inputs(current),
            Some(ended) = current.commits.join_next() => match ended {
                Ok(ended) => self.take_outcome(current, &ended),
                Err(error) => warn!(%error, "a commit failed"),
            },
            _ = self.shared.session.changed() => {}
            _ = self.shared.draining.changed() => {}
            () = sleep_until(until.into_iter().flatten().min()) => {}
        }
    }

    /// What has made the responder able to run may have been said just before they came: then they wait for it.
    fn take_early_inputs(&self, running: &mut Option<Running>) {
        self.turn(running);
        if running.is_some() && self.shared.lease(Instant::now()).is_some() {
            return;
        }
        let mut inputs = Vec::new();
        self.place.queue().take(BATCH, &mut inputs);
        for _ in inputs {
            self.shared.metrics.count(Datagrams::DroppedNotReady);
        }
    }

    /// A batch of them, by what the fleet knows now.
    fn take_inputs(&self, running: &mut Running) {
        let mut inputs = Vec::with_capacity(BATCH);
        self.place.queue().take(BATCH, &mut inputs);
        self.read_update(running);
        for input in inputs {
            running.take_input(input);
            self.flush(running);
        }
    }

    /// Brings the responder up to now, and does what it wants done. There is none before the first snapshot is complete: it
    /// would refuse customers whose tunnels it does not know yet.
    fn turn(&self, running: &mut Option<Running>) {
        let (lease, received) = {
            let session = self.shared.session.borrow();
            (session.lease(Instant::now()), session.received)
        };
        let Some(grant) = lease.filter(|_| received.is_some()) else {
            return;
        };
        let mut current = match running.take() {
            Some(current) if current.grant.is_same(&grant) => current,
            _ => self.start(grant),
        };
        self.read_update(&mut current);
        current.responder.handle_timeout(Instant::now());
        self.flush(&mut current);
        *running = Some(current);
    }

    fn start(&self, grant: LeaseGrant) -> Running {
        let mut config = ike::Config::new(grant.slot, grant.incarnation, self.shared.fleet_key.spi_key());
        config.quick_crash_detection = self.quick_crash_detection;
        config.limits = self.limits;
        let host = FleetHost::new(self.shared.replica.clone(), self.shared.session.clone(), grant);
        Running {
            grant,
            responder: ike::Responder::sharing(self.common.shared.clone(), config, Box::new(host)),
            ownership: Ownership::default(),
            cursor: None,
            read: None,
            commits: JoinSet::new(),
            took_input: Instant::now(),
        }
    }

    /// The replica is looked at when the session says that there is more of it.
    fn read_update(&self, running: &mut Running) {
        let received = self.shared.session.borrow().received;
        if running.read == received {
            return;
        }
        let Some(update) = self.shared.replica.read().since(running.cursor) else {
            return;
        };
        running.read = received;
        running.cursor = Some(update.cursor);
        let reader = Reader {
            grant: &running.grant,
            place: &self.place,
            tunnels: &self.common.tunnels,
            fleet_key: &self.shared.fleet_key,
        };
        let now = Instant::now();
        running
            .ownership
            .read(&update, &reader, &mut running.responder, now);
    }

    /// Takes out of the responder what it wants sent, committed and said.
    fn flush(&self, running: &mut Running) {
        // First, since one that is refused on the spot has an answer for the customer.
        while running.commits.len() < self.place.share_of(COMMITS)
            && let Some(commit) = running.responder.poll_commit()
        {
            self.commit(running, commit);
        }
        let now = Instant::now();
        while let Some(Transmit { path, payload }) = running.responder.poll_transmit() {
            let outcome = match self.sockets.try_send(&payload, path.local, path.peer) {
                Ok(()) => Datagrams::Sent,
                Err(_) => Datagrams::DroppedSendFailed,
            };
            self.shared.metrics.count(outcome);
        }
        while let Some(event) = running.responder.poll_event() {
            self.common.journal().note(&event, now);
        }
    }

    fn commit(&self, running: &mut Running, commit: ike::Commit) {
        let (id, ike) = (commit.id, commit.ike);
        let tunnel = tunnel_of(&commit, &self.shared.replica.read());
        let handshake = makes_ike_sa(&commit, &self.shared.replica.read()).then_some(running.took_input);
        let ended = move |outcome| Ended {
            id,
            ike,
            tunnel,
            handshake,
            outcome,
        };
        let refused = |kind, reason: String| Some(Err(Refused { kind, reason }));
        running.ownership.note_commit(&commit);
        let new = admission::tunnel_of_new_sa(&commit, &self.shared.replica.read());
        if new.is_some_and(|tunnel| !self.common.admission().admit(tunnel, Instant::now())) {
            self.shared.metrics.count(Commits::RateLimited);
            let reason = "the tunnel makes new SAs too fast".to_owned();
            return self.take_outcome(running, &ended(refused("rate limited", reason)));
        }
        let author = Author {
            fleet_key: &self.shared.fleet_key,
            grant: &running.grant,
            sa_lifetime: self.sa_lifetime,
            now: SystemTime::now(),
        };
        // Not in the scrutinee, whose guard would live on: taking the outcome looks at the replica again, and where a writer
        // waits in between, each waits for the other.
        let authored = author.commit(commit, &self.shared.replica.read());
        let request = match authored {
            Ok(commit) => v1::CommitRequest::from(&commit),
            Err(error) => {
                self.shared.metrics.count(Commits::Invalid);
                let reason = format!("the fleet's records cannot hold it: {error}");
                return self.take_outcome(running, &ended(refused("invalid", reason)));
            }
        };
        let committer = Committer {
            session: self.shared.session.clone(),
            grant: running.grant,
            metrics: self.shared.metrics.clone(),
        };
        running
            .commits
            .spawn(async move { ended(committer.commit(request).await) });
    }

    fn take_outcome(&self, running: &mut Running, ended: &Ended) {
        let now = Instant::now();
        if let Some(Err(refused)) = &ended.outcome {
            self.common
                .journal()
                .note_refused(&ended.tunnel, ended.ike, refused, now);
        }
        if ended.outcome != Some(Ok(())) && self.shared.replica.read().ike_sa(ended.ike.responder).is_none() {
            running.ownership.note_not_created(ended.ike);
        }
        if let (Some(taken), Some(Ok(()))) = (ended.handshake, &ended.outcome) {
            self.shared.metrics.time_handshake(now - taken);
        }
        if let Some(outcome) = &ended.outcome {
            let outcome = match outcome {
                Ok(()) => CommitOutcome::Done,
                Err(_) => CommitOutcome::Refused,
            };
            running.responder.handle_commit(now, ended.id, outcome);
        }
    }
}

/// True for the commit of an IKE_AUTH exchange; a rekeyed IKE SA comes with a record of the one it replaces.
fn makes_ike_sa(commit: &ike::Commit, replica: &Replica) -> bool {
    let is_new = replica.ike_sa(commit.ike.responder).is_none();
    is_new
        && commit
            .changes
            .iter()
            .any(|change| matches!(change, ike::Change::PutIke(_)))
}

/// Whose a commit is.
fn tunnel_of(commit: &ike::Commit, replica: &Replica) -> String {
    let named = commit.changes.iter().find_map(|change| match change {
        ike::Change::PutIke(sa) => Some(sa.tunnel.clone()),
        ike::Change::PutChild(child) => Some(child.tunnel.clone()),
        ike::Change::UpdateChild { .. } | ike::Change::RemoveChild(_) | ike::Change::RemoveIke(_) => None,
    });
    let known = || {
        replica
            .ike_sa(commit.ike.responder)
            .map(|sa| sa.tunnel.to_string())
    };
    named.or_else(known).unwrap_or_default()
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
