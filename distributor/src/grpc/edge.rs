//! The service for edges.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use proto::v1::{self, fleet_server};
use proto::{Commit, Hello, Lease, Name, Slot, ToDistributor};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::fleet::rivals::REMEDY;
use crate::grpc::caller::Caller;
use crate::grpc::context::{Context, invalid};
use crate::grpc::feed::Feed;
use crate::grpc::session::SessionStream;
use crate::rules::{self, membership};

pub(crate) struct EdgeService(pub(crate) Arc<Context>);

#[tonic::async_trait]
impl fleet_server::Fleet for EdgeService {
    type SyncStream = Pin<Box<dyn Stream<Item = Result<v1::SyncResponse, Status>> + Send>>;

    async fn sync(
        &self,
        request: Request<Streaming<v1::SyncRequest>>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        let caller = Caller::of(&request)?;
        let (name, address) = (caller.edge()?.clone(), caller.address());
        let mut inbound = request.into_inner();
        let hello = self.hello(&mut inbound).await?;
        let is_older_process = self.is_older_process(&name, &hello);
        let lease = self.join(&name, &hello).await?;
        let feed = Feed::new(self.0.states.clone(), hello.resume);
        if is_older_process {
            self.note_rival(&name, lease.slot, address);
        }
        let session = self.0.fleet.attach(lease.slot, address, self.0.now());
        self.check_still_known(&name, lease)?;
        tracing::info!(edge = %name, slot = %lease.slot, resumes = hello.resume.is_some(), "session begins");

        let shutdown = self.0.shutdown.clone();
        let stream = SessionStream {
            name,
            session,
            lease,
            is_lease_due: true,
            feed,
            inbound,
            shutdown,
            clock: Arc::clone(&self.0.clock),
        };
        Ok(Response::new(Box::pin(stream.into_stream())))
    }

    async fn commit(
        &self,
        request: Request<v1::CommitRequest>,
    ) -> Result<Response<v1::CommitResponse>, Status> {
        let name = edge_name(&request)?;
        let commit = Commit::try_from(request.into_inner()).map_err(invalid)?;
        self.check_lease(&name)?;
        let limits = &self.0.limits;
        let deadline = commit
            .deadline
            .map_or(limits.barrier, |asked| asked.min(limits.barrier_max));
        let customer = limits.customer;
        let rule = move |transaction: &mut _| rules::edge::commit(transaction, &name, &commit, customer);
        let (outcome, edges) = self.0.change(rule, deadline).await?;
        Ok(Response::new(v1::CommitResponse {
            revision: outcome.revision,
            edges,
        }))
    }
}

impl EdgeService {
    async fn hello(&self, inbound: &mut Streaming<v1::SyncRequest>) -> Result<Hello, Status> {
        let first = tokio::time::timeout(self.0.limits.handshake, inbound.message());
        let first = first
            .await
            .map_err(|_| Status::deadline_exceeded("no hello in time"))??;
        let first = first.ok_or_else(|| Status::invalid_argument("the session ended before its hello"))?;
        match ToDistributor::try_from(first).map_err(invalid)? {
            ToDistributor::Hello(hello) => Ok(hello),
            ToDistributor::Heartbeat(_) | ToDistributor::Applied(_) => {
                Err(Status::invalid_argument("a session begins with a hello"))
            }
        }
    }

    async fn join(&self, name: &Name, hello: &Hello) -> Result<Lease, Status> {
        let (joining, forward, incarnation) = (name.clone(), hello.forward, hello.incarnation);
        let rule = move |transaction: &mut _| membership::join(transaction, &joining, forward, incarnation);
        let edge = self.0.writer.decide(rule).await?;
        let lease = Lease {
            slot: edge.slot,
            incarnation: edge.incarnation,
            ttl: self.0.limits.lease,
            heartbeat: None,
            store: self.0.state().counters().store,
        };
        // Who has been overtaken already does not end the session of the one that did.
        self.check_still_known(name, lease)?;
        Ok(lease)
    }

    /// True when this process has lived on while another was given the edge's newest incarnation.
    fn is_older_process(&self, name: &Name, hello: &Hello) -> bool {
        let state = self.0.state();
        let newest = state.edge(name).map(|edge| edge.incarnation);
        hello.incarnation.is_some() && hello.incarnation < newest
    }

    fn note_rival(&self, name: &Name, slot: Slot, address: IpAddr) {
        if let Some(machines) = self.0.fleet.note_rival(slot, address, self.0.now()) {
            tracing::warn!(
                edge = %name, ?machines,
                "several machines have this edge's certificate and take turns: {REMEDY}"
            );
        }
    }

    /// Between joining and beginning its session an edge has no lease to keep it from being deleted.
    fn check_still_known(&self, name: &Name, lease: Lease) -> Result<(), Status> {
        let state = self.0.state();
        let edge = state
            .edge(name)
            .filter(|edge| (edge.slot, edge.incarnation) == (lease.slot, lease.incarnation));
        edge.map(drop).ok_or_else(edge_deleted)
    }

    fn check_lease(&self, name: &Name) -> Result<(), Status> {
        let state = self.0.state();
        match state.edge(name) {
            Some(edge) if self.0.fleet.is_lease_held(edge.slot, self.0.now()) => Ok(()),
            _ => Err(Status::failed_precondition(format!(
                "edge {name} has no lease: it needs a session first"
            ))),
        }
    }
}

fn edge_name<T>(request: &Request<T>) -> Result<Name, Status> {
    Caller::of(request)?.edge().cloned()
}

fn edge_deleted() -> Status {
    Status::unavailable("the session was overtaken by another change: try again")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::grpc::context::tests::context;
    use crate::log::store::memory::Memory;

    /// The incarnation makes their IVs differ: no two processes may have the same.
    #[tokio::test]
    async fn two_machines_with_one_certificate_that_come_at_once_do_not_get_one_incarnation() {
        let service = EdgeService(Arc::new(context(&Memory::default())));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (release, released) = mpsc::channel::<()>();
        let begun = std::sync::Mutex::new(Some(begun));
        let writer = service.0.writer.clone();
        // While the writer is busy with another change, both wait; then they are one batch.
        let busy = tokio::spawn(async move {
            let rule = move |_: &mut _| {
                if let Some(begun) = begun.lock().unwrap().take() {
                    begun.send(()).unwrap();
                }
                released.recv().unwrap();
                Ok(())
            };
            writer.change(rule).await.map(drop)
        });
        has_begun.await.unwrap();
        let name: Name = "e1".parse().unwrap();
        let hello = Hello {
            forward: ([10, 0, 0, 1], 4501).into(),
            resume: None,
            incarnation: None,
        };
        let (first, second, ()) = tokio::join!(
            biased;
            service.join(&name, &hello),
            service.join(&name, &hello),
            async { release.send(()).unwrap() },
        );
        busy.await.unwrap().unwrap();

        let second = second.unwrap();
        let state = service.0.state();
        assert_eq!(state.edge(&name).unwrap().incarnation, second.incarnation);
        let refused = first.expect_err("it is not the newest any more");
        assert_eq!(refused.code(), tonic::Code::Unavailable);
    }
}
