//! One edge's session: its reports come in, changes and leases go out.

use std::time::Instant;

use proto::v1::{self, sync_response::Message};
use proto::{Lease, Name, ToDistributor};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::core::invalid;
use crate::feed::Feed;
use crate::fleet::Session;

/// One edge's session.
pub(crate) struct SessionTask {
    pub(crate) name: Name,
    pub(crate) session: Session,
    /// The answer to the hello.
    pub(crate) lease: Lease,
    pub(crate) feed: Feed,
    pub(crate) inbound: Streaming<v1::SyncRequest>,
    pub(crate) outbound: mpsc::Sender<Result<v1::SyncResponse, Status>>,
    pub(crate) shutdown: CancellationToken,
}

impl SessionTask {
    /// Runs until either side ends the session.
    pub(crate) async fn run(self) {
        let Self {
            name,
            session,
            lease,
            feed,
            inbound,
            outbound,
            shutdown,
        } = self;
        // Only the newest answer matters, so a slow edge that sends many heartbeats fills nothing.
        let (answers, mut leases) = watch::channel(lease);
        leases.mark_changed();
        let reason = tokio::select! {
            reason = listen(&session, inbound, &answers) => reason,
            reason = speak(feed, leases, &outbound) => reason,
            () = session.replaced() => Status::aborted("another session of this edge has begun"),
            () = shutdown.cancelled() => Status::unavailable("the distributor is shutting down"),
        };
        drop(session);
        tracing::info!(edge = %name, reason = reason.message(), "session ends");
        // Without room the edge does not read, and finds the stream at its end.
        let _ = outbound.try_send(Err(reason));
    }
}

/// Takes reports and heartbeats.
async fn listen(
    session: &Session,
    mut inbound: Streaming<v1::SyncRequest>,
    answers: &watch::Sender<Lease>,
) -> Status {
    loop {
        let message = match inbound.message().await {
            Ok(Some(message)) => message,
            Ok(None) => return Status::ok("the edge has ended it"),
            Err(status) => return status,
        };
        match ToDistributor::try_from(message) {
            Err(error) => return invalid(error),
            Ok(ToDistributor::Hello(_)) => return Status::invalid_argument("a session has one hello"),
            Ok(ToDistributor::Heartbeat(heartbeat)) => {
                if session.renew(Instant::now()) {
                    answers.send_modify(|lease| lease.heartbeat = Some(heartbeat.number));
                }
            }
            Ok(ToDistributor::Applied(applied)) => {
                if let Err(error) = session.report(applied, Instant::now()) {
                    return Status::invalid_argument(error.to_string());
                }
            }
        }
    }
}

/// Sends leases, and between them what the edge has still to get, at the pace the edge reads.
async fn speak(
    mut feed: Feed,
    mut leases: watch::Receiver<Lease>,
    outbound: &mpsc::Sender<Result<v1::SyncResponse, Status>>,
) -> Status {
    loop {
        let message = tokio::select! {
            biased;
            Ok(()) = leases.changed() => {
                let lease = v1::Lease::from(&*leases.borrow_and_update());
                v1::SyncResponse { message: Some(Message::Lease(lease)) }
            }
            Some(message) = feed.next() => message,
            else => return Status::unavailable("the distributor is shutting down"),
        };
        if outbound.send(Ok(message)).await.is_err() {
            return Status::cancelled("the connection is gone");
        }
    }
}
