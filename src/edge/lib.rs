//! The edge daemon.
//!
//! ```text
//!  customers                             another edge
//!   |     ^                                |     ^
//!   v     |                                v     |
//!  sockets  --->  receive (whose is it?)  <->  forward
//!         ^          |
//!         |          v
//!         '------- negotiate (ike) --- commit ----> distributor
//!                    ^                                  |
//!                    | updates                          v
//!                  replica <----------------------- session  <---- installed
//!                    | updates                                        |
//!                    v                                                |
//!                  kernel thread (plan -> xfrm) ----------------------'
//! ```
//!
//! Records go one way: the owner of an SA installs it from the stream like every other edge. No queue grows: datagrams that
//! find theirs full are dropped, since IKE sends again, and everything else is state that its readers look at when they
//! are woken ([`distributor_client::state`], [`distributor_client::replica`]).

mod config;
mod dataplane;
#[cfg(test)]
mod fixtures;
mod health;
mod ingress;
mod metrics;
mod negotiation;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use distributor_client::SystemClock;
use distributor_client::session::{SessionConfig, SessionEvent, Subscriber};
use distributor_client::state::{AppliedReport, SessionState, SharedReplica};
use sd_notify::NotifyState;
use sealing::{FleetKey, FleetKeyError};
use thiserror::Error;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::info;
use xfrm::Agent;

use self::dataplane::Kernel;
use self::dataplane::notifier::Notifier;
use self::dataplane::plan::Planner;
use self::health::Health;
use self::ingress::forward::Forwarder;
use self::ingress::receive::Receiver;
use self::ingress::sockets::Sockets;
use self::ingress::{fd_store, input};
use self::metrics::{Family, Metrics};
use self::negotiation::Negotiator;

pub use self::config::{Config, Limits};
pub use self::ingress::sockets::SocketError;

/// Why the daemon cannot start.
#[derive(Debug, Error)]
pub enum Error {
    /// The fleet key is missing or malformed.
    #[error(transparent)]
    FleetKey(#[from] FleetKeyError),
    /// An anycast socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The address that other edges send to.
    #[error("forward = {0}: {1}")]
    Forward(SocketAddr, io::Error),
    /// The address of the health check.
    #[error("health = {0}: {1}")]
    Health(SocketAddr, io::Error),
    /// No access to the kernel's IPsec stack.
    #[error(transparent)]
    Kernel(#[from] xfrm::Error),
    /// Something the process needs of the system.
    #[error("{0}: {1}")]
    System(&'static str, io::Error),
    /// A fault of ours; the panic's message stands in the log before it.
    #[error("{0} has ended; the kernel goes on forwarding")]
    Ended(&'static str),
}

/// Runs until `stop` returns. The kernel goes on forwarding after that.
///
/// # Errors
/// If something that the edge needs of this machine is missing, or a part of it has ended, which is a fault of ours.
pub async fn run(config: Config, stop: impl Future<Output = ()>) -> Result<(), Error> {
    let fleet_key = Arc::new(FleetKey::load(&config.fleet_key)?);
    let agent = Agent::open()?;
    let listeners = Listeners::open(&config).await?;
    let (mut edge, kernel) = Edge::start(config, fleet_key, listeners);
    let kernel = kernel
        .start(agent)
        .map_err(|error| Error::System("cannot start a thread", error))?;

    let ended = tokio::select! {
        () = stop => Ok(()),
        fault = edge.serve() => Err(fault),
    };
    if ended.is_ok() {
        info!("stopping: the kernel goes on forwarding");
        fd_store::notify(&[NotifyState::Stopping]);
        edge.drain().await;
    }
    edge.end().await;
    // Before the runtime, whose timers it waits for. A panic of its own stands in the log.
    let _ = tokio::task::spawn_blocking(|| kernel.join()).await;
    ended
}

/// Where others come in.
struct Listeners {
    customers: Sockets,
    edges: UdpSocket,
    health: TcpListener,
}

impl Listeners {
    async fn open(config: &Config) -> Result<Self, Error> {
        let edges = UdpSocket::bind(config.forward).await;
        let health = TcpListener::bind(config.health).await;
        Ok(Self {
            customers: Sockets::open(&config.addresses)?,
            edges: edges.map_err(|error| Error::Forward(config.forward, error))?,
            health: health.map_err(|error| Error::Health(config.health, error))?,
        })
    }
}

/// The tasks; they end when this is dropped.
struct Edge {
    negotiator: JoinSet<()>,
    drain: watch::Sender<bool>,
    installed: watch::Receiver<Option<AppliedReport>>,
    others: JoinSet<()>,
}

impl Edge {
    /// Starts everything but the kernel's thread.
    fn start(config: Config, fleet_key: Arc<FleetKey>, listeners: Listeners) -> (Self, Kernel) {
        let Listeners {
            customers,
            edges,
            health,
        } = listeners;
        let sockets = Arc::new(customers);
        let limits = config.limits.clone();
        let metrics = Metrics::default();
        let replica = SharedReplica::default();
        let (session_state, session) = watch::channel(SessionState::default());
        let (installed_state, installed) = watch::channel(None);
        let (drain, draining) = watch::channel(false);
        let (input_queue, inputs) = mpsc::channel(input::QUEUE);
        let forwarder = Arc::new(Forwarder::new(
            edges,
            Arc::clone(&fleet_key),
            replica.clone(),
            metrics.clone(),
        ));

        let kernel = Kernel {
            planner: Planner::new(Arc::clone(&fleet_key), limits.sa_lease),
            replica: replica.clone(),
            session: session.clone(),
            installed: installed_state,
            notifier: Notifier {
                replica: replica.clone(),
                session: session.clone(),
                forwarder: Arc::clone(&forwarder),
                responder: input_queue.clone(),
                metrics: metrics.clone(),
            },
            metrics: metrics.clone(),
            repair_interval: limits.reconcile,
            sa_lease: limits.sa_lease,
        };
        let negotiator = Negotiator {
            fleet_key: Arc::clone(&fleet_key),
            limits: ike::Limits {
                half_open_lifetime: limits.half_open_lifetime,
                half_open_max: limits.half_open_max,
                half_open_per_source: limits.half_open_per_source,
                cookie_threshold: limits.cookie_threshold,
                dpd_interval: limits.dpd,
                child_lifetime: Some(limits.rekey_child),
                ike_lifetime: Some(limits.rekey_ike),
                redirect_patience: limits.redirect,
                ..ike::Limits::default()
            },
            quick_crash_detection: config.quick_crash_detection,
            sa_lifetime: limits.sa_lifetime,
            replica: replica.clone(),
            session: session.clone(),
            draining: draining.clone(),
            inputs,
            sockets: Arc::clone(&sockets),
            metrics: metrics.clone(),
        };
        let receiver = Receiver {
            addresses: config.addresses.as_slice().into(),
            router: ike::Router::new(&fleet_key.spi_key()),
            session: session.clone(),
            draining: draining.clone(),
            forwarder,
            responder: input_queue,
            metrics: metrics.clone(),
        };
        let observer = Health {
            session,
            installed: installed.clone(),
            draining,
            replica: replica.clone(),
            metrics: metrics.clone(),
        };
        let subscriber = Subscriber {
            config: SessionConfig {
                distributor: config.distributor,
                tls: config.tls,
                forward: config.forward,
            },
            replica,
            state: session_state,
            applied: installed.clone(),
            clock: Arc::new(SystemClock),
            observe: move |event| {
                let name = match event {
                    SessionEvent::Begun => "begun",
                    SessionEvent::Ended => "ended",
                };
                metrics.count(Family::Sessions, name);
            },
        };

        let mut others = JoinSet::new();
        for index in 0..sockets.len() {
            let (receiver, sockets) = (receiver.clone(), Arc::clone(&sockets));
            others.spawn(async move { receiver.read_customers(sockets.get(index)).await });
        }
        others.spawn(receiver.read_edges());
        others.spawn(observer.serve(health));
        others.spawn(subscriber.run());
        let negotiator = JoinSet::from_iter([negotiator.run()]);
        (
            Self {
                negotiator,
                drain,
                installed,
                others,
            },
            kernel,
        )
    }

    /// Says when the first snapshot is in the kernel. Returns when a part of the edge has ended, which none does by itself:
    /// the service manager has to start the process again.
    async fn serve(&mut self) -> Error {
        let mut installed = self.installed.clone();
        let kernel = async {
            if installed.wait_for(Option::is_some).await.is_ok() {
                fd_store::notify(&[NotifyState::Ready]);
                info!("ready");
            }
            let _ = installed.wait_for(|_| false).await;
        };
        tokio::select! {
            _ = self.negotiator.join_next() => Error::Ended("the task that negotiates"),
            _ = self.others.join_next() => Error::Ended("a task"),
            () = kernel => Error::Ended("the kernel's thread"),
        }
    }

    /// Leaves new customers to other edges. Returns when the commits on their way have ended, or enough time has passed.
    async fn drain(&mut self) {
        self.drain.send_replace(true);
        while self.negotiator.join_next().await.is_some() {}
    }

    /// Ends what is left, and so the kernel's thread.
    async fn end(mut self) {
        self.negotiator.shutdown().await;
        self.others.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
