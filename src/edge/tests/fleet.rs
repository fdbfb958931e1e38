//! A distributor on loopback and edges around it: everything but the kernel is real.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use distributor::{Limits, Server};
use distributor_client::connect::{self, Holder};
use distributor_client::{Role, TlsFiles};
use ike::Secret;
use ike::testkit::Customer;
use proto::v1::operator_client::OperatorClient;
use proto::{InboundSpi, v1};
use sealing::FleetKey;
use tempfile::TempDir;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use super::kernel::FakeKernel;
use crate::ingress::sockets::Sockets;
use crate::{Config, Edge, Listeners};

/// Where customers send to, as far as IKE is told.
pub(super) const ANYCAST: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 500);

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(super) struct Fleet {
    dir: TempDir,
    address: SocketAddr,
    pub(super) fleet_key: Arc<FleetKey>,
    distributor: Option<Running>,
}

/// A distributor that serves.
struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Fleet {
    pub(super) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        pki::init(dir.path(), &"fleet".parse().unwrap()).unwrap();
        let address: pki::Address = "127.0.0.1".parse().unwrap();
        for role in [
            Role::Distributor("d".parse().unwrap()),
            Role::Operator("ann".parse().unwrap()),
        ] {
            pki::issue(dir.path(), dir.path(), &role, std::slice::from_ref(&address)).unwrap();
        }
        let fleet_key = Arc::new(FleetKey::load(&dir.path().join("fleet.key")).unwrap());
        let mut fleet = Self {
            dir,
            address: LOOPBACK,
            fleet_key,
            distributor: None,
        };
        fleet.start_distributor().await;
        fleet
    }

    /// At the address and with the store of the one before, if there was one.
    pub(super) async fn start_distributor(&mut self) {
        let config = distributor::Config {
            listen: self.address,
            store: self.path("fleet.redb"),
            tls: TlsFiles {
                ca: self.path("ca.pem"),
                certificate: self.path("d.pem"),
                key: self.path("d.key"),
            },
            // No test waits for a deadline.
            limits: Limits {
                barrier: Duration::from_secs(600),
                barrier_max: Duration::from_secs(600),
                ..Limits::default()
            },
        };
        let server = Server::bind(config).await.unwrap();
        self.address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or(()) };
            server.run(stopped).await.unwrap();
        });
        self.distributor = Some(Running { stop, task });
    }

    /// Of a distributor that has stopped: the next one begins with nothing.
    pub(super) fn lose_store(&self) {
        std::fs::remove_file(self.path("fleet.redb")).unwrap();
    }

    pub(super) async fn stop_distributor(&mut self) {
        let Running { stop, task } = self.distributor.take().unwrap();
        stop.send(()).unwrap();
        task.await.unwrap();
    }

    /// Starts an edge; the same name again is the same edge after a restart.
    pub(super) async fn edge(&self, name: &str) -> TestEdge {
        self.edge_of_threads(name, 3).await
    }

    /// One that negotiates on so many threads.
    pub(super) async fn edge_of_threads(&self, name: &str, threads: usize) -> TestEdge {
        if !self.path(&format!("{name}.pem")).exists() {
            let role = Role::Edge(name.parse().unwrap());
            pki::issue(self.dir.path(), self.dir.path(), &role, &[]).unwrap();
        }
        let customers = UdpSocket::bind(LOOPBACK).await.unwrap();
        let edges = UdpSocket::bind(LOOPBACK).await.unwrap();
        let health = TcpListener::bind(LOOPBACK).await.unwrap();
        let customer_side = customers.local_addr().unwrap();
        let health_side = health.local_addr().unwrap();
        let edge_side = edges.local_addr().unwrap();
        let config = Config {
            addresses: vec![ANYCAST.ip()],
            distributor: format!("https://{}", self.address),
            forward: edge_side,
            health: health_side,
            fleet_key: self.path("fleet.key"),
            tls: self.tls(name),
            threads,
            quick_crash_detection: true,
            limits: Default::default(),
        };
        let listeners = Listeners {
            customers: Sockets::of(ANYCAST, customers),
            edges,
            health,
        };
        let (edge, kernel) = Edge::start(config, Arc::clone(&self.fleet_key), listeners);
        TestEdge {
            edge,
            kernel: FakeKernel::start(kernel),
            customers: customer_side,
            health: health_side,
            edges: edge_side,
        }
    }

    pub(super) async fn operator(&self) -> OperatorClient<Channel> {
        let url = format!("https://{}", self.address);
        OperatorClient::new(
            connect::connect(&url, &self.tls("ann"), Holder::Operator)
                .await
                .unwrap(),
        )
    }

    /// Adds the tunnel that suits `customer`; returns when every edge has it.
    pub(super) async fn put_tunnel(&self, name: &str, customer: &Customer) {
        self.put_tunnels([(name.to_owned(), customer)]).await;
    }

    /// Adds several.
    pub(super) async fn put_tunnels<'a>(&self, tunnels: impl IntoIterator<Item = (String, &'a Customer)>) {
        let mut operator = self.operator().await;
        for (number, (name, customer)) in (1..).zip(tunnels) {
            let request = self.put_request(&name, number, customer);
            operator.put_tunnel(request).await.unwrap();
        }
    }

    fn put_request(&self, name: &str, number: u16, customer: &Customer) -> v1::PutTunnelRequest {
        let any = |text: &str| vec![text.parse().unwrap()];
        let header = proto::Tunnel {
            remote_id: customer.id.clone(),
            local_ts: any("0.0.0.0/0"),
            remote_ts: any("0.0.0.0/0"),
            netns: Some(name.parse().unwrap()), // Their prefixes are all the same.
            interface: format!("ipsec{number}").parse().unwrap(),
            ..proto::testkit::tunnel(name, number)
        };
        let psk = Secret::new(customer.psk.expose().to_vec());
        let sealed = sealing::seal_record(&self.fleet_key, header, &psk).unwrap();
        v1::PutTunnelRequest {
            tunnel: Some((&sealed).into()),
            replace: false,
            replaced_revision: 0,
        }
    }

    fn tls(&self, name: &str) -> TlsFiles {
        TlsFiles {
            ca: self.path("ca.pem"),
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// An edge whose kernel is played.
pub(super) struct TestEdge {
    pub(super) edge: Edge,
    pub(super) kernel: FakeKernel,
    /// Where datagrams to the anycast address come in when the network delivers them here.
    pub(super) customers: SocketAddr,
    pub(super) health: SocketAddr,
    /// Where other edges send to.
    pub(super) edges: SocketAddr,
}

impl TestEdge {
    /// Returns when the first snapshot is installed.
    pub(super) async fn ready(&mut self) {
        self.edge.installed.wait_for(Option::is_some).await.unwrap();
    }

    pub(super) fn has_installed(&self, child: &ike::ChildSa) -> bool {
        let spi = InboundSpi::try_from(child.outbound_spi).unwrap();
        self.kernel.installed().contains(&spi.get())
    }
}
