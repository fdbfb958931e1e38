//! The distributor as a whole.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use distributor_client::{Clock, SystemClock, TlsFiles};
use proto::limits::MESSAGE;
use proto::v1::fleet_server::FleetServer;
use proto::v1::operator_server::OperatorServer;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Limits};
use crate::fleet::Fleet;
use crate::grpc::accept::accept;
use crate::grpc::context::Context;
use crate::grpc::edge::EdgeService;
use crate::grpc::operator::OperatorService;
use crate::grpc::tls::{self, Pem, TlsError};
use crate::log::state::State;
use crate::log::store::{Store, StoreError};
use crate::log::writer::Writer;
use crate::sweeper::Sweeper;

/// An answer that takes longer than this is not worth waiting for: the store hangs.
const CALL: Duration = Duration::from_secs(30);

/// Calls in progress at the end have this long, which is longer than a commit waits.
const DRAIN: Duration = Duration::from_secs(15);

/// Connections that have shaken hands and wait to be served.
const ACCEPTED: usize = 16;

/// Why a distributor cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A TLS file.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address to listen on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// As the system gave it.
        error: io::Error,
    },
    /// The system refused a thread.
    #[error("cannot start the store's thread: {0}")]
    Thread(io::Error),
    /// The store's thread has panicked.
    #[error("the store's thread ended")]
    ThreadEnded,
    /// The gRPC server ended by itself.
    #[error("the server failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// A distributor that listens and has read its store, but does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    files: TlsFiles,
    pem: Pem,
    tls: Arc<ServerConfig>,
    store: Store,
    state: State,
    limits: Limits,
}

impl Server {
    /// Opens the store, reads the certificates and listens. Nothing runs before [`Server::run`].
    pub async fn bind(config: Config) -> Result<Self, ServeError> {
        let Config {
            listen,
            store,
            tls: files,
            limits,
        } = config;
        let pem = Pem::read(&files)?;
        let tls = pem.config(&files)?;
        let (store, state) = Store::open(&store)?;
        let failed = |error| ServeError::Listen {
            address: listen,
            error,
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            files,
            pem,
            tls,
            store,
            state,
            limits,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready. Then sessions end, calls in progress are answered, and what is on its way to
    /// the disk gets there.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self {
            listener,
            address,
            files,
            pem,
            tls,
            store,
            state,
            limits,
        } = self;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let edges = state.edges().map(|edge| edge.slot);
        let fleet = Arc::new(Fleet::new(&limits, state.head(), edges, clock.monotonic()));
        tracing::info!(%address, revision = state.head(), "the distributor is listening");
        let (published, states) = watch::channel(Arc::new(state));
        let (writer, thread) = Writer::start(store, published, Arc::clone(&fleet), Arc::clone(&clock))
            .map_err(ServeError::Thread)?;

        let stop = CancellationToken::new();
        let (changed, configs) = watch::channel(tls);
        let (accepted, connections) = mpsc::channel(ACCEPTED);
        run_until(
            &stop,
            accept(listener, configs, limits.clone(), Arc::clone(&clock), accepted),
        );
        run_until(&stop, tls::watch(files, pem, limits.reload, changed));
        run_until(
            &stop,
            Sweeper {
                writer: writer.clone(),
                states: states.clone(),
                fleet: Arc::clone(&fleet),
                clock: Arc::clone(&clock),
                tombstones: limits.tombstones,
            }
            .run(),
        );

        let thread_ended = writer.clone();
        let context = Arc::new(Context {
            writer,
            states,
            fleet,
            clock,
            limits,
            shutdown: stop.clone(),
        });
        let incoming = ReceiverStream::new(connections);
        let served = router(context).serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
        let mut served = Box::pin(served);
        let result = tokio::select! {
            result = &mut served => result.map_err(ServeError::from),
            () = thread_ended.ended() => Err(ServeError::ThreadEnded),
            () = shutdown => {
                stop.cancel();
                let drained = tokio::time::timeout(DRAIN, &mut served).await;
                // A caller that does not read its last answer is left behind.
                drained.unwrap_or(Ok(())).map_err(ServeError::from)
            }
        };
        stop.cancel();
        drop((served, thread_ended));
        join(thread).await;
        result
    }
}

fn run_until(stop: &CancellationToken, task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(stop.clone().run_until_cancelled_owned(task));
}

fn router(context: Arc<Context>) -> tonic::transport::server::Router {
    let limits = &context.limits;
    let edges = FleetServer::new(EdgeService(Arc::clone(&context)));
    let operators = OperatorServer::new(OperatorService(Arc::clone(&context)));
    tonic::transport::Server::builder()
        .max_concurrent_streams(limits.calls)
        // A dead peer is noticed well within the lease.
        .http2_keepalive_interval(Some(limits.lease / 3))
        .http2_keepalive_timeout(Some(limits.lease / 3))
        .timeout(CALL)
        .add_service(
            edges
                .max_decoding_message_size(MESSAGE)
                .max_encoding_message_size(MESSAGE),
        )
        .add_service(
            operators
                .max_decoding_message_size(MESSAGE)
                .max_encoding_message_size(MESSAGE),
        )
}

/// The thread ends with the last handle to it, which the services hold.
async fn join(thread: JoinHandle<()>) {
    let joined = tokio::task::spawn_blocking(move || thread.join());
    match tokio::time::timeout(DRAIN, joined).await {
        Ok(Ok(Ok(()))) => {}
        Ok(_) => tracing::error!("the store's thread ended with a panic"),
        Err(_) => tracing::warn!("a connection still holds the store's thread"),
    }
}
