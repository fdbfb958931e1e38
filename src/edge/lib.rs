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

// An order that a hash decides cannot be repeated; a wildcard hides what a new value of an enum needs; an unwrap where an error
// can be returned ends the daemon.
#![warn(
    clippy::iter_over_hash_type,
    clippy::unwrap_in_result,
    clippy::wildcard_enum_match_arm
)]

mod config;
mod dataplane;
#[cfg(test)]
mod fixtures;
mod ingress;
mod metrics;
mod negotiation;
mod shared;
mod status;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use distributor_client::SystemClock;
use distributor_client::session::{SessionConfig, SessionEvent, Subscriber};
use distributor_client::state::{AppliedReport, SessionState};
use sd_notify::NotifyState;
use sealing::{FleetKey, FleetKeyError};
use thiserror::Error;
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::info;
use xfrm::Agent;

use self::dataplane::Kernel;
use self::dataplane::notifier::Notifier;
use self::ingress::dispatch::Dispatcher;
use self::ingress::fd_store;
use self::ingress::forward::Forwarder;
use self::ingress::receive::Receiver;
use self::ingress::sockets::Sockets;
use self::metrics::Sessions;
use self::negotiation::{Common, Negotiator};
use self::shared::Shared;
use self::status::Status;

pub use self::config::{Config, Limits, MOST_THREADS};
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
    /// Each is a thread, which ends when `draining` is gone.
    negotiators: JoinSet<()>,
    draining: watch::Sender<bool>,
    installed: watch::Receiver<Option<AppliedReport>>,
    others: JoinSet<()>,
}

impl Edge {
    /// Starts everything but the kernel's thread.
    fn start(config: Config, fleet_key: Arc<FleetKey>, listeners: Listeners) -> (Self, Kernel) {
        let (shared, writers) = Shared::new(fleet_key);
        let sockets = Arc::new(listeners.customers);
        let forwarder = Arc::new(Forwarder::new(listeners.edges, shared.clone()));
        let router = ike::Router::new(&shared.fleet_key.spi_key());
        let dispatcher = Dispatcher::new(config.threads, router, shared.replica.clone());
        let notifier = Notifier {
            shared: shared.clone(),
            forwarder: Arc::clone(&forwarder),
            dispatcher: dispatcher.clone(),
        };
        let kernel = Kernel::new(shared.clone(), &config.limits, writers.installed, notifier);
        let negotiators = negotiators(&shared, &config, &sockets, &dispatcher);
        let receiver = Receiver {
            addresses: config.addresses.as_slice().into(),
            shared: shared.clone(),
            forwarder,
            dispatcher,
        };

        let mut others = JoinSet::new();
        for index in 0..sockets.len() {
            let (receiver, sockets) = (receiver.clone(), Arc::clone(&sockets));
            others.spawn(async move { receiver.read_customers(sockets.get(index)).await });
        }
        others.spawn(receiver.read_edges());
        others.spawn(Status::new(shared.clone()).serve(listeners.health));
        others.spawn(subscriber(config, &shared, writers.session).run());
        let edge = Self {
            negotiators,
            draining: writers.draining,
            installed: shared.installed,
            others,
        };
        (edge, kernel)
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
            _ = self.negotiators.join_next() => Error::Ended("a thread that negotiates"),
            _ = self.others.join_next() => Error::Ended("a task"),
            () = kernel => Error::Ended("the kernel's thread"),
        }
    }

    /// Leaves new customers to other edges. Returns when the commits on their way have ended, or enough time has passed.
    async fn drain(&mut self) {
        self.draining.send_replace(true);
        while self.negotiators.join_next().await.is_some() {}
    }

    /// Ends what is left, and so the kernel's thread.
    async fn end(mut self) {
        drop(self.draining);
        while self.negotiators.join_next().await.is_some() {}
        self.others.shutdown().await;
    }
}

/// The threads that negotiate, each for as long as the edge runs: they compute more than they wait.
fn negotiators(
    shared: &Shared,
    config: &Config,
    sockets: &Arc<Sockets>,
    dispatcher: &Dispatcher,
) -> JoinSet<()> {
    let common = Arc::new(Common::new(shared.metrics.clone()));
    let mut threads = JoinSet::new();
    for place in dispatcher.places() {
        let (sockets, common) = (Arc::clone(sockets), Arc::clone(&common));
        let negotiator = Negotiator::new(shared.clone(), config, sockets, common, place);
        let runtime = Handle::current();
        threads.spawn_blocking(move || runtime.block_on(negotiator.run()));
    }
    threads
}

/// The session with the distributor.
fn subscriber(
    config: Config,
    shared: &Shared,
    state: watch::Sender<SessionState>,
) -> Subscriber<impl Fn(SessionEvent) + use<>> {
    let metrics = shared.metrics.clone();
    Subscriber {
        config: SessionConfig {
            distributor: config.distributor,
            tls: config.tls,
            forward: config.forward,
        },
        replica: shared.replica.clone(),
        state,
        applied: shared.installed.clone(),
        clock: Arc::new(SystemClock),
        observe: move |event| {
            metrics.count(match event {
                SessionEvent::Begun => Sessions::Begun,
                SessionEvent::Ended => Sessions::Ended,
            });
        },
    }
}

#[cfg(test)]
mod tests;
