//! Connections that are refused, and the log of them.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use distributor_client::{Clock, RateLimit, RoleError, tls_remedy};
use ike_types::Source;

/// Why a connection is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum RefusedConnection {
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

/// Writes a line a minute for each source and reason: who is refused tries again at once.
#[derive(Clone)]
pub(super) struct RefusalLog {
    lines: Arc<Mutex<RateLimit<(Source, String)>>>,
    clock: Arc<dyn Clock>,
}

impl RefusalLog {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let lines = RateLimit::of_log_lines();
        Self {
            lines: Arc::new(Mutex::new(lines)),
            clock,
        }
    }

    /// Writes it, unless its like was written within a minute.
    pub(super) fn log(&self, peer: SocketAddr, error: &RefusedConnection) {
        let key = (Source::of(peer.ip()), error.to_string());
        // Nothing under the lock can panic half-way.
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(withheld) = lines.admit(key, self.clock.monotonic()) else {
            return;
        };
        let remedy = tls_remedy(error).unwrap_or_default();
        tracing::warn!(%peer, %error, remedy, withheld, "connection refused");
    }
}
