//! One edge's session: its reports come in, changes and leases go out.
//!
//! The connection's own task asks for the next message whenever it has room for one, and all of the session happens in
//! that question: no task and no queue stands between the state and the connection.

use std::net::IpAddr;
use std::sync::Arc;

use distributor_client::Clock;
use futures_util::stream;
use proto::v1::{self, sync_response::Message};
use proto::{Lease, Name, ToDistributor};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::fleet::Session;
use crate::fleet::rivals::REMEDY;
use crate::grpc::context::invalid;
use crate::grpc::feed::Feed;

/// A session, and the stream of messages that the distributor sends in it.
pub(crate) struct SessionStream {
    pub(crate) name: Name,
    pub(crate) session: Session,
    /// The last answer to the hello or a heartbeat.
    pub(crate) lease: Lease,
    /// It is still to be sent.
    pub(crate) is_lease_due: bool,
    pub(crate) feed: Feed,
    pub(crate) inbound: Streaming<v1::SyncRequest>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) clock: Arc<dyn Clock>,
}

impl SessionStream {
    /// What the distributor sends. It ends with the reason why the session ends.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<v1::SyncResponse, Status>> + Send {
        stream::unfold(Some(self), |session| async {
            let mut session = session?;
            match session.next().await {
                Ok(message) => Some((
                    Ok(v1::SyncResponse {
                        message: Some(message),
                    }),
                    Some(session),
                )),
                Err(reason) => {
                    tracing::info!(edge = %session.name, reason = reason.message(), "session ends");
                    Some((Err(reason), None))
                }
            }
        })
    }

    /// The next message to send. What the edge sends comes first: others wait for its reports.
    async fn next(&mut self) -> Result<Message, Status> {
        loop {
            if std::mem::take(&mut self.is_lease_due) {
                return Ok(Message::Lease((&self.lease).into()));
            }
            tokio::select! {
                biased;
                by = self.session.replaced() => return Err(replaced(&self.name, by)),
                () = self.shutdown.cancelled() => return Err(shutting_down()),
                received = self.inbound.message() => {
                    let message = received?.ok_or_else(|| Status::ok("the edge has ended it"))?;
                    self.receive(message)?;
                }
                message = self.feed.next() => return message.ok_or_else(shutting_down),
            }
        }
    }

    fn receive(&mut self, message: v1::SyncRequest) -> Result<(), Status> {
        match ToDistributor::try_from(message).map_err(invalid)? {
            ToDistributor::Hello(_) => return Err(Status::invalid_argument("a session has one hello")),
            ToDistributor::Heartbeat(heartbeat) => {
                self.lease.heartbeat = Some(heartbeat.number);
                self.is_lease_due = self.session.renew(self.clock.monotonic());
            }
            ToDistributor::Applied(applied) => self
                .session
                .report(applied, self.clock.monotonic())
                .map_err(|error| Status::invalid_argument(error.to_string()))?,
        }
        Ok(())
    }
}

/// A process whose own connection broke does not hear it: it is for another machine, or for one that was thought to be gone.
fn replaced(edge: &Name, by: Option<IpAddr>) -> Status {
    let place = by.map(|address| format!(" from {address}")).unwrap_or_default();
    Status::aborted(format!(
        "another session of edge {edge} has begun{place}; if that is another machine, both have one certificate: \
         {REMEDY}"
    ))
}

fn shutting_down() -> Status {
    Status::unavailable("the distributor is shutting down")
}
