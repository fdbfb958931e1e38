//! The session with the distributor: the lease, the records, and how far they are applied here.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::v1::fleet_client::FleetClient;
use proto::{Applied, FromDistributor, Hello, Lease, ToDistributor, limits, v1};
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::connect::{self, ConnectError, Holder, TlsFiles};
use crate::lease::{Heartbeats, heartbeat_interval};
use crate::rate_limit::RateLimit;
use crate::state::{AppliedReport, SessionState, SharedReplica};

/// Messages to the distributor that wait for the window of HTTP/2; when they are more, heartbeats and reports wait too.
const OUTGOING: usize = 4;

/// After another machine has begun a session as this edge. Each of the two would take it from the other many times a second, and
/// restore all its IKE SAs anew each time.
const PAUSE_FOR_RIVAL: Duration = Duration::from_secs(10);

/// How often tombstones are looked through.
const TOMBSTONE_SWEEP: Duration = Duration::from_secs(600);

/// Why a session ended. The next begins at once or after a pause.
#[derive(Debug, Error)]
enum SessionEnd {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{0}")]
    Broken(String),
    #[error("{}: {}", .0.code(), .0.message())]
    Refused(tonic::Status),
    #[error("the distributor ended the session")]
    Closed,
    #[error("the distributor sent an invalid message: {0}")]
    Invalid(#[from] proto::Invalid),
    #[error("the distributor's first message is not a lease")]
    NoLease,
    #[error("no answer to a heartbeat while the lease ran")]
    Silent,
    #[error("the distributor gave incarnation {0} with another slot; to act under it again would repeat IVs")]
    IncarnationReused(u32),
}

impl From<tonic::Status> for SessionEnd {
    fn from(status: tonic::Status) -> Self {
        connect::broken(&status).map_or(Self::Refused(status), Self::Broken)
    }
}

impl SessionEnd {
    /// How long after a session that `lasted` for so long the next one begins.
    fn pause(&self, backoff: &mut Backoff, lasted: Duration) -> Duration {
        match self {
            Self::Refused(status) if status.code() == Code::Aborted => PAUSE_FOR_RIVAL,
            Self::Connect(_)
            | Self::Broken(_)
            | Self::Refused(_)
            | Self::Closed
            | Self::Invalid(_)
            | Self::NoLease
            | Self::Silent
            | Self::IncarnationReused(_) => backoff.after(lasted),
        }
    }
}

/// Where the distributor is, and who asks it.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// `https://host:port`.
    pub distributor: String,
    /// An edge's certificate.
    pub tls: TlsFiles,
    /// Where other edges reach this one.
    pub forward: SocketAddr,
}

/// What happens to sessions, for a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// One has its lease.
    Begun,
    /// One has ended, or could not begin.
    Ended,
}

/// Keeps a session with the distributor for as long as the process lives.
pub struct Subscriber<F> {
    /// Where to.
    pub config: SessionConfig,
    /// What the stream writes.
    pub replica: SharedReplica,
    /// What the session's user looks at.
    pub state: watch::Sender<SessionState>,
    /// How far the records are applied here.
    pub applied: watch::Receiver<Option<AppliedReport>>,
    /// Leases and rates go by it.
    pub clock: Arc<dyn Clock>,
    /// Is told of every session.
    pub observe: F,
}

impl<F: Fn(SessionEvent)> Subscriber<F> {
    /// Returns never: a session that ends is followed by the next.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut log = RateLimit::of_log_lines();
        loop {
            let begun = self.clock.monotonic();
            let Err(end) = self.session().await;
            self.state.send_modify(|state| state.note_session(None));
            (self.observe)(SessionEvent::Ended);
            let now = self.clock.monotonic();
            if let Some(withheld) = log.admit(end.to_string(), now) {
                warn!(reason = %end, withheld, "no session with the distributor; trying again");
            }
            tokio::time::sleep(end.pause(&mut backoff, now - begun)).await;
        }
    }

    async fn session(&mut self) -> Result<Infallible, SessionEnd> {
        let channel = connect::connect(&self.config.distributor, &self.config.tls, Holder::Edge).await?;
        let mut client = FleetClient::new(channel)
            .max_decoding_message_size(proto::limits::MESSAGE)
            .max_encoding_message_size(proto::limits::MESSAGE);

        let (outgoing, requests) = mpsc::channel(OUTGOING);
        let mut heartbeats = Heartbeats::new(self.clock.monotonic());
        // The channel is new and empty, so this does not wait.
        let _ = outgoing
            .send(v1::SyncRequest::from(&ToDistributor::Hello(self.hello())))
            .await;
        let mut incoming = client.sync(ReceiverStream::new(requests)).await?.into_inner();
        let FromDistributor::Lease(lease) = next(&mut incoming).await? else {
            return Err(SessionEnd::NoLease);
        };
        self.take_lease(&mut heartbeats, &lease)?;
        self.replica.write().begin_stream();
        self.state.send_modify(|state| state.note_session(Some(client)));
        (self.observe)(SessionEvent::Begun);
        info!(slot = %lease.slot, incarnation = lease.incarnation, "session with the distributor");
        self.exchange(&mut heartbeats, lease, outgoing, incoming).await
    }

    fn hello(&self) -> Hello {
        Hello {
            forward: self.config.forward,
            resume: self.replica.read().position(),
            incarnation: self.state.borrow().grant.map(|grant| grant.incarnation),
        }
    }

    async fn exchange(
        &mut self,
        heartbeats: &mut Heartbeats,
        mut lease: Lease,
        outgoing: mpsc::Sender<v1::SyncRequest>,
        mut incoming: Streaming<v1::SyncResponse>,
    ) -> Result<Infallible, SessionEnd> {
        let interval = heartbeat_interval(lease.ttl);
        let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + interval, interval);
        let mut sweep = tokio::time::interval(TOMBSTONE_SWEEP);
        let mut report_due = true; // The distributor does not know what the last session reported.
        loop {
            tokio::select! {
                message = next(&mut incoming) => match message? {
                    FromDistributor::Lease(next) => {
                        self.take_lease(heartbeats, &next)?;
                        lease = next;
                    }
                    FromDistributor::SnapshotBegin => self.replica.write().begin_snapshot(),
                    FromDistributor::Delta(delta) => self.take_delta(lease.store, delta),
                },
                changed = self.applied.changed() => {
                    changed.map_err(|_| SessionEnd::Closed)?;
                    report_due = true;
                }
                permit = outgoing.reserve(), if report_due => {
                    let permit = permit.map_err(|_| SessionEnd::Closed)?;
                    report_due = false;
                    if let Some(applied) = self.report(lease.store) {
                        permit.send(v1::SyncRequest::from(&ToDistributor::Applied(applied)));
                    }
                }
                _ = heartbeat.tick() => {
                    let now = self.clock.monotonic();
                    if self.state.borrow().lease(now).is_none() {
                        return Err(SessionEnd::Silent);
                    }
                    if let Ok(permit) = outgoing.try_reserve()
                        && let Some(next) = heartbeats.next(now)
                    {
                        permit.send(v1::SyncRequest::from(&ToDistributor::Heartbeat(next)));
                    }
                }
                _ = sweep.tick() => self.replica.write().forget_old_tombstones(self.clock.wall().into()),
            }
        }
    }

    fn take_lease(&self, heartbeats: &mut Heartbeats, lease: &Lease) -> Result<(), SessionEnd> {
        let Some(grant) = heartbeats.answered(lease) else {
            return Ok(());
        };
        let last = self.state.borrow().grant;
        if last.is_some_and(|last| last.contradicts(&grant)) {
            return Err(SessionEnd::IncarnationReused(grant.incarnation));
        }
        self.state.send_modify(|state| state.grant = Some(grant));
        Ok(())
    }

    fn take_delta(&self, store: u64, delta: proto::Delta) {
        let position = {
            let mut replica = self.replica.write();
            let complete = replica.receive(store, delta, self.clock.wall().into());
            replica.position().filter(|_| complete)
        };
        if let Some(position) = position {
            let now = self.clock.monotonic();
            self.state.send_modify(|state| state.note_received(position, now));
        }
    }

    /// What is applied here of the store of this session; revisions of another mean nothing to the distributor.
    fn report(&mut self, store: u64) -> Option<Applied> {
        let applied = self.applied.borrow_and_update();
        let applied = applied
            .as_ref()
            .filter(|applied| applied.position.store == store)?;
        self.state.send_if_modified(|state| {
            let before = state.behind_since;
            state.note_applied(applied);
            state.behind_since != before
        });
        Some(report(applied))
    }
}

/// The first failures, and how many there are.
fn report(applied: &AppliedReport) -> Applied {
    let failures = applied.failures.iter().take(limits::FAILURES);
    Applied {
        revision: applied.position.revision,
        failures: failures.cloned().collect(),
        failures_total: u32::try_from(applied.failures.len()).unwrap_or(u32::MAX),
    }
}

async fn next(incoming: &mut Streaming<v1::SyncResponse>) -> Result<FromDistributor, SessionEnd> {
    let message = incoming.message().await?.ok_or(SessionEnd::Closed)?;
    Ok(message.try_into()?)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proto::{Failure, Key, Resume};
    use tonic::Status;

    use super::*;

    #[test]
    fn a_report_is_bounded_and_says_how_many_there_are() {
        let failure = Failure {
            key: Key::IkeSa(1),
            errno: 1,
            reason: String::new(),
        };
        let report = report(&AppliedReport {
            position: Resume {
                store: 1,
                revision: 9,
            },
            began: Instant::now(),
            failures: vec![failure; 300],
        });
        assert_eq!(
            (report.failures.len(), report.failures_total),
            (limits::FAILURES, 300)
        );
    }

    #[test]
    fn who_is_replaced_by_another_machine_leaves_it_some_time() {
        let pause = |status| SessionEnd::from(status).pause(&mut Backoff::default(), Duration::ZERO);
        assert_eq!(
            pause(Status::aborted("another session has begun")),
            PAUSE_FOR_RIVAL
        );
        assert!(pause(Status::unavailable("the distributor is shutting down")) < Duration::from_secs(1));
    }
}
