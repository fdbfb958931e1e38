//! An edge, as far as the distributor sees one.

use std::time::Duration;

use proto::v1::fleet_client::FleetClient;
use proto::{
    Applied, Change, ChildSa, Commit, Failure, FromDistributor, Hello, IkeSa, InboundSpi, Key, Lease, Sealed,
    ToDistributor, testkit, v1,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::hub::Hub;

/// What an edge's kernel makes of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// It does it.
    Willing,
    /// It has no such algorithm.
    Refusing,
    /// It never comes to an end.
    Hanging,
}

/// An edge in a session. It reports what its [`Kernel`] makes of every update.
pub(crate) struct Edge {
    client: FleetClient<Channel>,
    lease: Lease,
    session: tokio::task::JoinHandle<()>,
}

impl Edge {
    /// Begins a session; returns when the edge has the first snapshot.
    pub(crate) async fn join(hub: &Hub, name: &str, kernel: Kernel) -> Self {
        Self::join_as(hub, name, kernel, None).await
    }

    /// As the process that was given this incarnation.
    pub(crate) async fn join_as(hub: &Hub, name: &str, kernel: Kernel, incarnation: Option<u32>) -> Self {
        let mut client = FleetClient::new(channel(hub, name).await);
        let (outgoing, requests) = mpsc::channel::<v1::SyncRequest>(8);
        let hello = Hello {
            forward: "127.0.0.1:4501".parse().unwrap(),
            resume: None,
            incarnation,
        };
        outgoing
            .send((&ToDistributor::Hello(hello)).into())
            .await
            .unwrap();
        let mut incoming = client
            .sync(ReceiverStream::new(requests))
            .await
            .unwrap()
            .into_inner();
        let FromDistributor::Lease(lease) = next(&mut incoming).await.unwrap() else {
            panic!("the lease is first")
        };

        let (ready, mut is_ready) = mpsc::channel(1);
        let session = tokio::spawn(async move {
            let mut first = true;
            while let Some(message) = next(&mut incoming).await {
                let FromDistributor::Delta(delta) = message else {
                    continue;
                };
                let Some(revision) = delta.revision else { continue };
                let failures = failures(kernel, &delta);
                let failures_total = failures.len() as u32;
                // It hangs at what comes after the first snapshot: an edge that never had one is in no barrier.
                if first || kernel != Kernel::Hanging {
                    let applied = Applied {
                        revision,
                        failures,
                        failures_total,
                    };
                    outgoing
                        .send((&ToDistributor::Applied(applied)).into())
                        .await
                        .unwrap();
                }
                if std::mem::take(&mut first) {
                    ready.send(()).await.unwrap();
                }
            }
        });
        is_ready.recv().await.unwrap();
        Self {
            client,
            lease,
            session,
        }
    }

    /// Publishes an IKE SA with one child SA for the tunnel; returns both SPIs.
    pub(crate) async fn establish(&mut self, tunnel: &str, number: u32) -> (u64, InboundSpi) {
        let ike_sa = IkeSa {
            epoch: 1,
            tunnel: tunnel.parse().unwrap(),
            remote_id: format!("{tunnel}.example").parse().unwrap(),
            local: "203.0.113.1:4500".parse().unwrap(),
            peer: "198.51.100.7:4500".parse().unwrap(),
            ..testkit::ike_sa(self.lease.slot, 0xabcd_0000_0000_0000 + u64::from(number))
        };
        let child_sa = ChildSa {
            outbound_spi: 0xc0de_0001,
            udp_encap: true,
            local_ts: vec![testkit::selector([10, 0, 0, 0], [10, 255, 255, 255])],
            remote_ts: vec![testkit::selector([192, 168, 0, 0], [192, 168, 0, 255])],
            expires: ike_sa.created.after(Duration::from_secs(86_400)),
            ..testkit::child_sa(&ike_sa, number)
        };
        let (spis, inbound_spi) = (ike_sa.spis, child_sa.inbound_spi);
        let changes = vec![
            Change::PutIkeSa(Sealed::new(ike_sa, |_| "sealed".into())),
            Change::PutChildSa(Sealed::new(child_sa, |_| "sealed".into())),
        ];
        let commit = Commit {
            changes,
            deadline: None,
            incarnation: self.lease.incarnation,
        };
        self.client
            .commit(v1::CommitRequest::from(&commit))
            .await
            .unwrap();
        (spis.responder, inbound_spi)
    }

    pub(crate) fn incarnation(&self) -> u32 {
        self.lease.incarnation
    }

    /// Ends the session; the lease runs on.
    pub(crate) async fn cut_off(self) {
        self.session.abort();
        assert!(self.session.await.unwrap_err().is_cancelled());
    }
}

async fn channel(hub: &Hub, name: &str) -> Channel {
    let read = |file: String| std::fs::read(hub.path(&file)).unwrap();
    let identity = Identity::from_pem(read(format!("{name}.pem")), read(format!("{name}.key")));
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read("ca.pem".into())))
        .identity(identity);
    Endpoint::from_shared(hub.url())
        .unwrap()
        .tls_config(tls)
        .unwrap()
        .connect()
        .await
        .unwrap()
}

/// `None` when the session has ended.
async fn next(incoming: &mut Streaming<v1::SyncResponse>) -> Option<FromDistributor> {
    let message = incoming.message().await.ok().flatten()?;
    Some(message.try_into().unwrap())
}

fn failures(kernel: Kernel, delta: &proto::Delta) -> Vec<Failure> {
    let children = delta
        .records
        .iter()
        .map(proto::Record::key)
        .filter(|key| matches!(key, Key::ChildSa(_)));
    let failure = |key| Failure {
        key,
        errno: 93,
        reason: "load the kernel module esp4".to_owned(),
    };
    if kernel == Kernel::Refusing {
        children.map(failure).collect()
    } else {
        Vec::new()
    }
}
