//! Connections: from the listening socket, through the handshake, to a caller with a role.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use distributor_client::{Role, RoleError, Throttle, tls_remedy};
use ike_types::Source;
use proto::Name;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;
use tonic::{Request, Status};

use crate::config::Limits;

/// Handshakes at a time. Whoever has no certificate can take these places and no others, and each for a short time.
const HANDSHAKES: usize = 256;

/// After a failed accept, which is most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end of a connection, as its certificate proves.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    role: Role,
    address: IpAddr,
}

impl Caller {
    /// The caller of a request.
    pub(crate) fn of<T>(request: &Request<T>) -> Result<&Self, Status> {
        request
            .extensions()
            .get()
            .ok_or_else(|| Status::unauthenticated("the connection has no certificate"))
    }

    /// Where its machine is, or the address translator before it.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// An edge's name, or PERMISSION_DENIED.
    pub(crate) fn edge(&self) -> Result<&Name, Status> {
        match &self.role {
            Role::Edge(name) => Ok(name),
            other => Err(Status::permission_denied(format!(
                "only an edge may ask this, not {other}"
            ))),
        }
    }

    /// An operator's name, or PERMISSION_DENIED.
    pub(crate) fn operator(&self) -> Result<&Name, Status> {
        match &self.role {
            Role::Operator(name) => Ok(name),
            other => Err(Status::permission_denied(format!(
                "only an operator may ask this, not {other}"
            ))),
        }
    }
}

/// Accepts connections until the receiver of `connections` is gone.
pub(crate) async fn accept(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    limits: Limits,
    connections: mpsc::Sender<io::Result<Connection>>,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    let sources = Sources::default();
    let refusals = Refusals::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    // A closed semaphore would end the loop; nobody closes it.
    while let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = connections.closed() => return,
        };
        let Some(entered) = sources.enter(peer.ip(), limits.handshakes_of_source) else {
            tracing::debug!(%peer, "connection refused: too many handshakes of one source");
            continue;
        };
        let config = Arc::clone(&tls.borrow());
        let handshake = Handshake {
            stream,
            address: peer.ip().to_canonical(),
            config,
            places: Arc::clone(&places),
            time: limits.handshake,
        };
        let (connections, refusals) = (connections.clone(), refusals.clone());
        tokio::spawn(async move {
            let result = handshake.finish().await;
            drop((permit, entered));
            match result {
                Ok(connection) => {
                    // The server may be gone.
                    let _ = connections.send(Ok(connection)).await;
                }
                Err(error) => refusals.log(peer, &error),
            }
        });
    }
}

/// Writes a line a minute for each source and reason: who is refused tries again at once.
#[derive(Clone)]
struct Refusals(Arc<Mutex<Throttle<(Source, String)>>>);

impl Refusals {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Throttle::new(Instant::now()))))
    }

    fn log(&self, peer: SocketAddr, error: &RefusedConnection) {
        let key = (Source::of(peer.ip()), error.to_string());
        // Nothing under the lock can panic half-way.
        let mut throttle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(withheld) = throttle.admit(key, Instant::now()) else {
            return;
        };
        let remedy = tls_remedy(error).unwrap_or_default();
        tracing::warn!(%peer, %error, remedy, withheld, "connection refused");
    }
}

/// How many handshakes each source is in.
#[derive(Clone, Default)]
struct Sources(Arc<Mutex<HashMap<Source, usize>>>);

/// A handshake that counts until this is dropped.
struct Entered {
    sources: Sources,
    source: Source,
}

impl Sources {
    /// `None` when the source of `peer` is in `most` of them, so that it alone cannot keep the others out.
    fn enter(&self, peer: IpAddr, most: usize) -> Option<Entered> {
        let source = Source::of(peer);
        let mut counts = self.lock();
        let count = counts.entry(source).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Entered {
            sources: self.clone(),
            source,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Source, usize>> {
        // Nothing under the lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut counts = self.sources.lock();
        if let Entry::Occupied(mut count) = counts.entry(self.source) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

struct Handshake {
    stream: TcpStream,
    address: IpAddr,
    config: Arc<ServerConfig>,
    places: Arc<Semaphore>,
    time: Duration,
}

#[derive(Debug, thiserror::Error)]
enum RefusedConnection {
    #[error("the handshake took too long")]
    TooLong,
    #[error("the handshake failed: {0}")]
    Handshake(#[from] io::Error),
    #[error("no certificate was shown")]
    NoCertificate,
    #[error(transparent)]
    Role(#[from] RoleError),
    #[error("there are too many connections")]
    TooMany,
}

impl Handshake {
    async fn finish(self) -> Result<Connection, RefusedConnection> {
        // Every message is awaited by somebody: none may wait for the next to fill a packet.
        self.stream.set_nodelay(true)?;
        let handshake = TlsAcceptor::from(self.config).accept(self.stream);
        let stream = tokio::time::timeout(self.time, handshake)
            .await
            .map_err(|_| RefusedConnection::TooLong)??;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let role = Role::of_certificate(certificate.ok_or(RefusedConnection::NoCertificate)?)?;
        let place = self
            .places
            .try_acquire_owned()
            .map_err(|_| RefusedConnection::TooMany)?;
        Ok(Connection {
            stream,
            caller: Caller {
                role,
                address: self.address,
            },
            _place: place,
        })
    }
}

/// A connection whose caller is known.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    caller: Caller,
    _place: OwnedSemaphorePermit,
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
