//! What a distributor has to be told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use distributor_client::TlsFiles;

/// What a distributor has to be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where edges and operators connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The store's file; made when it is not there.
    pub store: PathBuf,
    /// Its certificate, and who signs those of its callers.
    pub tls: TlsFiles,
    /// What an operator may want to change.
    pub limits: Limits,
}

/// Durations and bounds.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For how long an edge that falls silent keeps its right to act.
    pub lease: Duration,
    /// How long a commit waits for the edges when it does not say so itself.
    pub barrier: Duration,
    /// How long a commit can ask to wait.
    pub barrier_max: Duration,
    /// How long a tombstone keeps its key from being used again, and so how long an edge may be away and still resume.
    pub tombstones: Duration,
    /// Connections in all, those in the middle of their handshake included.
    pub connections: usize,
    /// How often the TLS files are looked at for a change.
    pub reload: Duration,
    /// How long a TLS handshake may take, and after it a session's hello.
    pub handshake: Duration,
    /// TLS handshakes at a time with one source (an IPv4 address or the /64 of an IPv6 one). Edges behind one address that
    /// come back all at once try again.
    pub handshakes_of_source: usize,
    /// Calls in progress on one connection: an edge's session and the commits it waits for.
    pub calls: u32,
    /// What one customer can make every edge hold.
    pub customer: CustomerLimits,
}

/// What one customer can make every edge of the fleet hold, however often it authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CustomerLimits {
    /// IKE SAs of a tunnel, at least 1. One more takes the place of the oldest.
    pub ike_sas: usize,
    /// Child SAs of an IKE SA, old ones that a rekey has not removed yet included. One more is refused.
    pub child_sas: usize,
}

impl Default for CustomerLimits {
    fn default() -> Self {
        Self {
            ike_sas: 16,
            child_sas: 64,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            barrier: Duration::from_secs(1),
            barrier_max: Duration::from_secs(10),
            tombstones: Duration::from_secs(24 * 60 * 60),
            connections: 4096,
            reload: Duration::from_secs(10),
            handshake: Duration::from_secs(5),
            handshakes_of_source: 64,
            calls: 1024,
            customer: CustomerLimits::default(),
        }
    }
}
