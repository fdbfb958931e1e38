//! From the listening socket, through the handshake, to a connection whose caller has a role.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use distributor_client::{Clock, Role};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;

use super::caller::Caller;
use super::connection::Connection;
use super::refused::{RefusalLog, RefusedConnection};
use super::sources::Sources;
use crate::config::Limits;

/// Handshakes at a time. Whoever has no certificate can take these places and no others, and each for a short time.
const HANDSHAKES: usize = 256;

/// After a failed accept, which is most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the receiver of `connections` is gone.
pub(crate) async fn accept(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    connections: mpsc::Sender<io::Result<Connection>>,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    let sources = Sources::default();
    let refusals = RefusalLog::new(clock);
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

struct Handshake {
    stream: TcpStream,
    address: IpAddr,
    config: Arc<ServerConfig>,
    places: Arc<Semaphore>,
    time: Duration,
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
