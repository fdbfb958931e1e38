//! The task that runs the IKE responder: datagrams, timers and what changes in the fleet in; datagrams and commits out.

mod admission;
mod author;
mod commit;
mod convert;
mod draft;
mod host;
mod journal;
mod ownership;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use distributor_client::lease::LeaseGrant;
use distributor_client::replica::{Cursor, Replica};
use distributor_client::state::{SessionState, SharedReplica};
use ike::{CommitId, CommitOutcome, Limits, Transmit};
use proto::v1;
use sealing::FleetKey;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::warn;

use self::admission::Admission;
use self::author::Author;
use self::commit::{Committer, Refused};
use self::host::FleetHost;
use self::journal::Journal;
use self::ownership::Ownership;
use crate::ingress::input::{Datagram, Input};
use crate::ingress::notice::Notice;
use crate::ingress::sockets::Sockets;
use crate::metrics::{Family, Metrics};

/// Commits on their way at once; the responder keeps the others until there is room.
const COMMITS: usize = 1024;

/// How long commits on their way may take when the process is about to end: the barrier's deadline, and some.
const DRAIN: Duration = Duration::from_secs(3);

/// What the task is made of.
pub(crate) struct Negotiator {
    pub(crate) fleet_key: Arc<FleetKey>,
    pub(crate) limits: Limits,
    pub(crate) quick_crash_detection: bool,
    pub(crate) sa_lifetime: Duration,
    pub(crate) replica: SharedReplica,
    pub(crate) session: watch::Receiver<SessionState>,
    pub(crate) draining: watch::Receiver<bool>,
    pub(crate) inputs: mpsc::Receiver<Input>,
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) metrics: Metrics,
}

/// A commit that has ended.
struct Ended {
    id: CommitId,
    ike: ike::IkeSpis,
    /// Empty when nobody knows it any more.
    tunnel: String,
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
    commits: JoinSet<Ended>,
    admission: Admission,
}

impl Running {
    fn take_input(&mut self, input: Input) {
        let now = Instant::now();
        match input {
            Input::Datagram(Datagram { path, payload }) => {
                self.responder.handle_datagram(now, path, &payload)
            }
            Input::Notice(Notice::Used(spi)) => self.responder.handle_child_used(now, spi),
            Input::Notice(Notice::Worn(spi)) => self.responder.handle_child_near_limit(now, spi),
            Input::Notice(Notice::Moved(spi, peer)) => self.responder.handle_child_moved(now, spi, peer),
        }
    }
}

impl Negotiator {
    /// Runs until `draining` says so and the commits on their way have ended.
    pub(crate) async fn run(mut self) {
        let mut journal = Journal::new(self.metrics.clone());
        let mut running = None;
        let mut deadline = None;
        loop {
            self.turn(&mut running, &mut journal);
            if *self.draining.borrow() {
                let end = *deadline.get_or_insert_with(|| Instant::now() + DRAIN);
                if Instant::now() >= end || running.as_ref().is_none_or(|running| running.commits.is_empty())
                {
                    return;
                }
            }
            self.wait(&mut running, &mut journal, deadline).await;
        }
    }

    /// Waits for something to handle, and handles it.
    async fn wait(
        &mut self,
        running: &mut Option<Running>,
        journal: &mut Journal,
        drained_by: Option<Instant>,
    ) {
        let lease = self.session.borrow().lease(Instant::now());
        let Some(running) = running.as_mut().filter(|_| lease.is_some()) else {
            tokio::select! {
                _ = self.session.changed() => {}
                _ = self.draining.changed() => {}
                _ = self.inputs.recv() => self.metrics.count(Family::Datagrams, "dropped_not_ready"),
                () = sleep_until(drained_by) => {}
            }
            return;
        };
        let until = [
            running.responder.poll_timeout(),
            lease.map(|lease| lease.until),
            drained_by,
        ];
        tokio::select! {
            Some(input) = self.inputs.recv() => running.take_input(input),
            Some(ended) = running.commits.join_next() => match ended {
                Ok(ended) => self.take_outcome(running, journal, &ended),
                Err(error) => warn!(%error, "a commit failed"),
            },
            _ = self.session.changed() => {}
            _ = self.draining.changed() => {}
            () = sleep_until(until.into_iter().flatten().min()) => {}
        }
    }

    /// Brings the responder up to now, and does what it wants done. There is none before the first snapshot is complete: it
    /// would refuse customers whose tunnels it does not know yet.
    fn turn(&self, running: &mut Option<Running>, journal: &mut Journal) {
        let Some(grant) = self.session.borrow().lease(Instant::now()) else {
            return;
        };
        if self.replica.read().position().is_none() {
            return;
        }
        let mut current = match running.take() {
            Some(current) if current.grant.is_same(&grant) => current,
            _ => self.start(grant),
        };
        self.read_update(&mut current);
        current.responder.handle_timeout(Instant::now());
        self.flush(&mut current, journal);
        *running = Some(current);
    }

    fn start(&self, grant: LeaseGrant) -> Running {
        let config = ike::Config {
            slot: grant.slot,
            incarnation: grant.incarnation,
            spi_key: self.fleet_key.spi_key(),
            quick_crash_detection: self.quick_crash_detection,
            ike: ike::IkePolicy::default(),
            limits: self.limits,
        };
        let host = FleetHost::new(self.replica.clone(), self.session.clone(), grant);
        Running {
            grant,
            responder: ike::Responder::new(config, Box::new(host)),
            ownership: Ownership::default(),
            cursor: None,
            commits: JoinSet::new(),
            admission: Admission::default(),
        }
    }

    fn read_update(&self, running: &mut Running) {
        let Some(update) = self.replica.read().since(running.cursor) else {
            return;
        };
        running.cursor = Some(update.cursor);
        let now = Instant::now();
        running.ownership.read(
            &update,
            &running.grant,
            &self.fleet_key,
            &mut running.responder,
            now,
        );
    }

    /// Takes out of the responder what it wants sent, committed and said.
    fn flush(&self, running: &mut Running, journal: &mut Journal) {
        // First, since one that is refused on the spot has an answer for the customer.
        while running.commits.len() < COMMITS
            && let Some(commit) = running.responder.poll_commit()
        {
            self.commit(running, journal, commit);
        }
        let now = Instant::now();
        while let Some(Transmit { path, payload }) = running.responder.poll_transmit() {
            let outcome = match self.sockets.try_send(&payload, path.local, path.peer) {
                Ok(()) => "sent",
                Err(_) => "dropped_send_failed",
            };
            self.metrics.count(Family::Datagrams, outcome);
        }
        while let Some(event) = running.responder.poll_event() {
            journal.note(&event, now);
        }
    }

    fn commit(&self, running: &mut Running, journal: &mut Journal, commit: ike::Commit) {
        let (id, ike) = (commit.id, commit.ike);
        let tunnel = tunnel_of(&commit, &self.replica.read());
        let ended = move |outcome| Ended {
            id,
            ike,
            tunnel,
            outcome,
        };
        let refused = |kind, reason: String| Some(Err(Refused { kind, reason }));
        running.ownership.note_commit(&commit);
        let new = admission::tunnel_of_new_sa(&commit, &self.replica.read());
        if new.is_some_and(|tunnel| !running.admission.admit(tunnel, Instant::now())) {
            let kind = "refused_too_many";
            self.metrics.count(Family::Commits, kind);
            let reason = "the tunnel makes new SAs too fast".to_owned();
            return self.take_outcome(running, journal, &ended(refused(kind, reason)));
        }
        let author = Author {
            fleet_key: &self.fleet_key,
            grant: &running.grant,
            sa_lifetime: self.sa_lifetime,
            now: SystemTime::now(),
        };
        let request = match author.commit(commit, &self.replica.read()) {
            Ok(commit) => v1::CommitRequest::from(&commit),
            Err(error) => {
                let reason = format!("it cannot be put into the fleet's words: {error}");
                return self.take_outcome(running, journal, &ended(refused("unspeakable", reason)));
            }
        };
        let committer = Committer {
            session: self.session.clone(),
            grant: running.grant,
            metrics: self.metrics.clone(),
        };
        running
            .commits
            .spawn(async move { ended(committer.commit(request).await) });
    }

    fn take_outcome(&self, running: &mut Running, journal: &mut Journal, ended: &Ended) {
        let now = Instant::now();
        if let Some(Err(refused)) = &ended.outcome {
            journal.note_refused(&ended.tunnel, ended.ike, refused, now);
        }
        if ended.outcome != Some(Ok(())) && self.replica.read().ike_sa(ended.ike.responder).is_none() {
            running.ownership.note_never_was(ended.ike);
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

/// Whose a commit is.
fn tunnel_of(commit: &ike::Commit, replica: &Replica) -> String {
    let named = commit.changes.iter().find_map(|change| match change {
        ike::Change::PutIke(sa) => Some(sa.tunnel.clone()),
        ike::Change::PutChild(child) => Some(child.tunnel.clone()),
        _ => None,
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
