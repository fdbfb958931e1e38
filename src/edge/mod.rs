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
//!                    | news                             v
//!                  replica <-------------------------- link  <--- installed
//!                    | news                                           |
//!                    v                                                |
//!                  kernel thread (plan -> xfrm) ----------------------'
//! ```
//!
//! Records go one way: the owner of an SA installs it from the stream like every other edge. No queue grows: datagrams that
//! find theirs full are dropped, since IKE sends again, and everything else is state that its readers look at when they
//! are woken ([`state`], [`replica`]).

mod backoff;
mod commit;
mod convert;
mod datagram;
mod fd_store;
#[cfg(test)]
mod fixtures;
mod forward;
mod health;
mod host;
mod journal;
mod kernel;
mod lease;
mod link;
mod metrics;
mod negotiate;
mod ownership;
mod packet_limit;
mod plan;
mod receive;
mod replica;
mod selectors;
mod sockets;
mod state;
mod throttle;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use sd_notify::NotifyState;
use thiserror::Error;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::info;
use xfrm::Agent;

use self::forward::Forwarder;
use self::health::Health;
use self::kernel::Kernel;
use self::link::Link;
use self::metrics::Metrics;
use self::negotiate::Negotiator;
use self::plan::Planner;
use self::receive::Receiver;
use self::sockets::{SocketError, Sockets};
use self::state::{Installed, LinkState, SharedReplica};
use crate::config::EdgeConfig;
use crate::fleet_key::{FleetKey, FleetKeyError};
use crate::stop::Stop;

/// Why the daemon cannot start.
#[derive(Debug, Error)]
pub(crate) enum Error {
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
}

/// Runs until SIGTERM or SIGINT. The kernel goes on forwarding after that.
pub(crate) async fn run(config: EdgeConfig) -> Result<(), Error> {
    let mut stop = Stop::new().map_err(|error| Error::System("cannot wait for signals", error))?;
    let (drain, draining) = watch::channel(false);
    let mut edge = Edge::start(config, draining).await?;

    tokio::select! {
        () = stop.wait() => {}
        () = edge.ready() => {
            fd_store::notify(&[NotifyState::Ready]);
            info!("ready");
            stop.wait().await;
        }
    }
    info!("stopping: the kernel goes on forwarding");
    fd_store::notify(&[NotifyState::Stopping]);
    drain.send_replace(true);
    edge.drained().await;
    Ok(())
}

/// The tasks; they end when this is dropped.
struct Edge {
    negotiator: JoinSet<()>,
    installed: watch::Receiver<Option<Installed>>,
    _others: JoinSet<()>,
}

impl Edge {
    async fn start(config: EdgeConfig, draining: watch::Receiver<bool>) -> Result<Self, Error> {
        let fleet_key = Arc::new(FleetKey::load(&config.fleet_key)?);
        let agent = Agent::open()?;
        let sockets = Arc::new(Sockets::open(&config.addresses)?);
        let forward_socket = UdpSocket::bind(config.forward)
            .await
            .map_err(|error| Error::Forward(config.forward, error))?;
        let health_listener = health::bind(config.health)
            .await
            .map_err(|error| Error::Health(config.health, error))?;

        let metrics = Metrics::default();
        let replica = SharedReplica::default();
        let (link_state, link) = watch::channel(LinkState::default());
        let (installed_state, installed) = watch::channel(None);
        let (datagram_queue, datagrams) = mpsc::channel(datagram::QUEUE);

        let kernel = Kernel {
            planner: Planner::new(Arc::clone(&fleet_key), config.limits.sa_lease),
            replica: replica.clone(),
            link: link.clone(),
            installed: installed_state,
            metrics: metrics.clone(),
            repair_interval: config.limits.reconcile,
            sa_lease: config.limits.sa_lease,
        };
        kernel
            .start(agent)
            .map_err(|error| Error::System("cannot start a thread", error))?;

        let negotiator = Negotiator {
            fleet_key: Arc::clone(&fleet_key),
            limits: ike::Limits {
                half_open_lifetime: config.limits.half_open_lifetime,
                half_open_max: config.limits.half_open_max,
                dpd_interval: config.limits.dpd,
            },
            sa_lifetime: config.limits.sa_lifetime,
            replica: replica.clone(),
            link: link.clone(),
            draining: draining.clone(),
            datagrams,
            sockets: Arc::clone(&sockets),
            metrics: metrics.clone(),
        };
        let receiver = Receiver {
            spi_key: fleet_key.spi_key(),
            link: link.clone(),
            draining: draining.clone(),
            forwarder: Arc::new(Forwarder::new(
                forward_socket,
                Arc::clone(&fleet_key),
                replica.clone(),
                metrics.clone(),
            )),
            responder: datagram_queue,
            metrics: metrics.clone(),
        };
        let health = Health {
            link,
            installed: installed.clone(),
            draining,
            replica: replica.clone(),
            metrics: metrics.clone(),
        };

        let mut others = JoinSet::new();
        for index in 0..sockets.len() {
            let (receiver, sockets) = (receiver.clone(), Arc::clone(&sockets));
            others.spawn(async move { receiver.read_customers(sockets.get(index)).await });
        }
        others.spawn(receiver.read_edges());
        others.spawn(async move {
            let _ = health.serve(health_listener).await;
        });
        others.spawn(
            Link {
                config,
                replica,
                state: link_state,
                installed: installed.clone(),
                metrics,
            }
            .run(),
        );
        let mut negotiators = JoinSet::new();
        negotiators.spawn(negotiator.run());
        Ok(Self {
            negotiator: negotiators,
            installed,
            _others: others,
        })
    }

    /// Returns when the first snapshot is in the kernel.
    async fn ready(&mut self) {
        // An error would mean that the kernel's thread has ended, and then the process is never ready.
        if self.installed.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns when the commits on their way have ended, or enough time has passed.
    async fn drained(&mut self) {
        while self.negotiator.join_next().await.is_some() {}
    }
}
