//! A fleet on loopback: an authority, a distributor with a store of its own, edges and operators that speak the real
//! protocol over real mutual TLS.

#![allow(clippy::unwrap_used, reason = "a fleet that cannot be set up fails the test")]

pub(crate) mod authority;
mod edge;

use std::net::SocketAddr;
use std::time::Duration;

use distributor::{Config, Limits, Server};
use distributor_client::{Role, TlsFiles};
use proto::v1::operator_client::OperatorClient;
use proto::{Change, Key, Slot, Tunnel, v1};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::Channel;

pub(crate) use authority::{Authority, Credentials};
pub(crate) use edge::{Edge, Heard};
pub(crate) use proto::testkit::{child_sa, ike_sa, sealed, spi, tunnel};

/// A distributor and what belongs to it. The store outlives a restart.
pub(crate) struct Lab {
    pub(crate) authority: Authority,
    directory: tempfile::TempDir,
    limits: Limits,
    running: Option<Running>,
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), distributor::ServeError>>,
}

impl Lab {
    /// With deadlines that are long enough for a busy machine and short enough for a test.
    pub(crate) async fn start() -> Self {
        Self::start_with(Limits {
            barrier: Duration::from_secs(5),
            ..Limits::default()
        })
        .await
    }

    pub(crate) async fn start_with(limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut lab = Self {
            authority: Authority::new(),
            directory,
            limits,
            running: None,
        };
        lab.install(&lab.authority);
        lab.boot().await;
        lab
    }

    /// Puts an authority's certificates where the distributor reads them.
    pub(crate) fn install(&self, authority: &Authority) {
        let Credentials { certificate, key } = authority.issue(&role("distributor", "d1"));
        for (name, text) in [("ca", &authority.pem), ("cert", &certificate), ("key", &key)] {
            std::fs::write(self.directory.path().join(name), text).unwrap();
        }
    }

    async fn boot(&mut self) {
        let server = Server::bind(self.config()).await.unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        self.running = Some(Running { address, stop, task });
    }

    pub(crate) fn config(&self) -> Config {
        let file = |name: &str| self.directory.path().join(name);
        Config {
            listen: ([127, 0, 0, 1], 0).into(),
            store: file("fleet.redb"),
            tls: TlsFiles {
                ca: file("ca"),
                certificate: file("cert"),
                key: file("key"),
            },
            limits: self.limits.clone(),
        }
    }

    pub(crate) async fn stop(&mut self) {
        let Running { stop, task, .. } = self.running.take().expect("a running distributor");
        stop.send(()).unwrap();
        task.await.unwrap().unwrap();
    }

    /// Stops the distributor and starts another on the same store.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.boot().await;
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.as_ref().expect("a running distributor").address
    }

    /// A connection with fresh credentials for a role such as `edge`, `e1`.
    pub(crate) async fn channel(&self, kind: &str, name: &str) -> Channel {
        let credentials = self.authority.issue(&role(kind, name));
        credentials
            .connect(&self.authority.pem, self.address())
            .await
            .unwrap()
    }

    pub(crate) async fn operator(&self) -> OperatorClient<Channel> {
        OperatorClient::new(self.channel("operator", "ann").await)
    }

    /// An edge that has its lease and has applied everything there is.
    pub(crate) async fn edge(&self, name: &str) -> Edge {
        let mut edge = Edge::connect(self.channel("edge", name).await, Heard::default(), None)
            .await
            .unwrap();
        edge.catch_up().await;
        edge
    }

    /// The tunnel that the records of [`records`] belong to.
    pub(crate) async fn with_tunnel(self) -> Self {
        put_tunnel(&mut self.operator().await, tunnel("acme", 1), false)
            .await
            .unwrap();
        self
    }
}

pub(crate) async fn put_tunnel(
    operator: &mut OperatorClient<Channel>,
    tunnel: Tunnel,
    replace: bool,
) -> Result<v1::PutTunnelResponse, Status> {
    let request = v1::PutTunnelRequest {
        tunnel: Some((&sealed(tunnel)).into()),
        replace,
        replaced_revision: 0,
    };
    Ok(operator.put_tunnel(request).await?.into_inner())
}

/// Has `edge` commit and apply the changes.
pub(crate) async fn commit(edge: &mut Edge, changes: Vec<Change>) {
    let commit = tokio::spawn(edge.commit(changes));
    edge.catch_up().await;
    commit.await.unwrap().unwrap();
}

pub(crate) fn role(kind: &str, name: &str) -> Role {
    Role::from_uri(&format!("anyswan:{kind}:{name}")).expect("a role")
}

/// The commit of a handshake: an IKE SA and its first child, both with this number.
pub(crate) fn handshake(slot: Slot, number: u32) -> Vec<Change> {
    let ike = ike_sa(slot, number.into());
    let child = child_sa(&ike, number);
    vec![Change::PutIkeSa(sealed(ike)), Change::PutChildSa(sealed(child))]
}

pub(crate) fn child_key(slot: Slot, number: u32) -> Key {
    Key::ChildSa(spi(slot, number))
}
