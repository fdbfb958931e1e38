//! An edge as the distributor sees one.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use proto::v1::fleet_client::FleetClient;
use proto::{
    Applied, Body, Change, Commit, Failure, FromDistributor, Heartbeat, Hello, Key, Lease, Record, Resume,
    Slot, ToDistributor, v1,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

/// What an edge has been told, kept as a real one keeps it. Checks on the way what must hold of every stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) records: BTreeMap<Key, Record>,
    pub(crate) revision: u64,
    pub(crate) store: u64,
    /// Snapshots that have begun, ever.
    pub(crate) snapshots: usize,
}

impl Heard {
    pub(crate) fn resume(&self) -> Option<Resume> {
        (self.revision != 0).then_some(Resume {
            store: self.store,
            revision: self.revision,
        })
    }

    pub(crate) fn is_deleted(&self, key: &Key) -> bool {
        self.records
            .get(key)
            .is_some_and(|record| matches!(record.body, Body::Tombstone(_)))
    }
}

pub(crate) struct Edge {
    pub(crate) client: FleetClient<Channel>,
    pub(crate) lease: Lease,
    pub(crate) heard: Heard,
    outbound: mpsc::Sender<v1::SyncRequest>,
    inbound: Streaming<v1::SyncResponse>,
    next_revision_floor: u64,
}

pub(crate) fn forward() -> SocketAddr {
    ([10, 9, 0, 1], 4501).into()
}

impl Edge {
    /// Begins a session and gets the lease.
    pub(crate) async fn connect(
        channel: Channel,
        heard: Heard,
        incarnation: Option<u32>,
    ) -> Result<Self, Status> {
        let mut client = FleetClient::new(channel);
        let (outbound, requests) = mpsc::channel(16);
        let hello = Hello {
            forward: forward(),
            resume: heard.resume(),
            incarnation,
        };
        outbound
            .send((&ToDistributor::Hello(hello)).into())
            .await
            .unwrap();
        let mut inbound = client.sync(ReceiverStream::new(requests)).await?.into_inner();
        let FromDistributor::Lease(lease) = next(&mut inbound).await? else {
            panic!("a lease comes first")
        };
        let next_revision_floor = heard.revision;
        Ok(Self {
            client,
            lease,
            heard,
            outbound,
            inbound,
            next_revision_floor,
        })
    }

    pub(crate) fn slot(&self) -> Slot {
        self.lease.slot
    }

    /// The next message of the stream, taken in.
    pub(crate) async fn hear(&mut self) -> Result<FromDistributor, Status> {
        let message = next(&mut self.inbound).await?;
        match &message {
            FromDistributor::Lease(lease) => self.lease = *lease,
            FromDistributor::SnapshotBegin => {
                self.heard = Heard {
                    snapshots: self.heard.snapshots + 1,
                    ..Heard::default()
                };
                self.next_revision_floor = 0;
            }
            FromDistributor::Delta(delta) => {
                for record in &delta.records {
                    assert!(
                        record.revision >= self.next_revision_floor,
                        "revisions never go back"
                    );
                    self.next_revision_floor = record.revision;
                    self.heard.records.insert(record.key(), record.clone());
                }
                if let Some(revision) = delta.revision {
                    assert!(
                        revision >= self.next_revision_floor,
                        "a delta's revision covers its records"
                    );
                    self.heard.revision = revision;
                    self.heard.store = self.lease.store;
                    self.next_revision_floor = revision;
                }
            }
        }
        Ok(message)
    }

    /// Hears everything up to the end of the next revision, without applying it.
    pub(crate) async fn hear_revision(&mut self) -> u64 {
        loop {
            if let FromDistributor::Delta(proto::Delta {
                revision: Some(revision),
                ..
            }) = self.hear().await.unwrap()
            {
                return revision;
            }
        }
    }

    /// Hears and applies the next revision.
    pub(crate) async fn catch_up(&mut self) -> u64 {
        let revision = self.hear_revision().await;
        self.apply(revision, &[]).await;
        revision
    }

    /// Hears and applies until it has `revision`.
    pub(crate) async fn catch_up_to(&mut self, revision: u64) {
        while self.heard.revision < revision {
            self.catch_up().await;
        }
    }

    /// Hears and applies until the key has or has not a living record.
    pub(crate) async fn catch_up_until(&mut self, done: impl Fn(&Heard) -> bool) {
        while !done(&self.heard) {
            self.catch_up().await;
        }
    }

    pub(crate) async fn apply(&self, revision: u64, failures: &[Failure]) {
        let failures_total = failures.len() as u32;
        let applied = Applied {
            revision,
            failures: failures.to_vec(),
            failures_total,
        };
        self.say((&ToDistributor::Applied(applied)).into()).await;
    }

    pub(crate) async fn heartbeat(&self, number: u64) {
        self.say((&ToDistributor::Heartbeat(Heartbeat { number })).into())
            .await;
    }

    /// The receiver may be gone already.
    pub(crate) async fn say(&self, request: v1::SyncRequest) {
        let _ = self.outbound.send(request).await;
    }

    /// Hears until the stream ends, and tells why.
    pub(crate) async fn end(&mut self) -> Status {
        loop {
            if let Err(status) = self.hear().await {
                return status;
            }
        }
    }

    pub(crate) fn commit(
        &self,
        changes: Vec<Change>,
    ) -> impl Future<Output = Result<v1::CommitResponse, Status>> + Send + use<> {
        self.commit_as(Commit {
            changes,
            deadline: None,
            incarnation: self.lease.incarnation,
        })
    }

    pub(crate) fn commit_as(
        &self,
        commit: Commit,
    ) -> impl Future<Output = Result<v1::CommitResponse, Status>> + Send + use<> {
        let mut client = self.client.clone();
        async move {
            Ok(client
                .commit(v1::CommitRequest::from(&commit))
                .await?
                .into_inner())
        }
    }

    /// Applies everything that comes, for as long as the session lasts.
    pub(crate) fn run(mut self) -> tokio::task::JoinHandle<Self> {
        tokio::spawn(async move {
            while let Ok(message) = self.hear().await {
                if let FromDistributor::Delta(proto::Delta {
                    revision: Some(revision),
                    ..
                }) = message
                {
                    self.apply(revision, &[]).await;
                }
            }
            self
        })
    }
}

async fn next(inbound: &mut Streaming<v1::SyncResponse>) -> Result<FromDistributor, Status> {
    let message = inbound
        .message()
        .await?
        .ok_or_else(|| Status::ok("the stream is at its end"))?;
    Ok(message.try_into().expect("the distributor keeps to the schema"))
}
