//! What an edge is told.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use distributor_client::TlsFiles;

/// More threads than an IKE SA has shards would have nothing to do.
pub const MOST_THREADS: usize = ike::Shard::COUNT;

/// Where an edge is, and whom it works with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The anycast addresses that customers send to.
    pub addresses: Vec<IpAddr>,
    /// `https://host:port`.
    pub distributor: String,
    /// This edge's unicast address and UDP port, where other edges pass it the IKE messages that it owns.
    pub forward: SocketAddr,
    /// Loopback address of `/health` and `/metrics`.
    pub health: SocketAddr,
    /// The file with the fleet key.
    pub fleet_key: PathBuf,
    /// An edge's certificate.
    pub tls: TlsFiles,
    /// How many threads negotiate.
    pub threads: usize,
    /// Whether customers' routers are told of IKE SAs that the whole fleet has lost (RFC 6290).
    pub quick_crash_detection: bool,
    /// Durations and bounds.
    pub limits: Limits,
}

/// Durations and bounds with a default each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long the kernel keeps an SA after this edge was last in sync with the distributor.
    pub sa_lease: Duration,
    /// How long a child SA lives when nobody ends it before.
    pub sa_lifetime: Duration,
    /// Age at which a child SA is rekeyed when the customer's router has not done it before.
    pub rekey_child: Duration,
    /// Age at which an IKE SA is rekeyed when the customer's router has not done it before.
    pub rekey_ike: Duration,
    /// How often the whole kernel state is compared with the records.
    pub reconcile: Duration,
    /// How long a customer may take from its first message to its authentication.
    pub half_open_lifetime: Duration,
    /// IKE SAs that may be half open at once.
    pub half_open_max: usize,
    /// Of those, the ones that an IPv4 address or an IPv6 /64 may begin while cookies are asked for.
    pub half_open_per_source: usize,
    /// From so many half-open IKE SAs on, new customers have to bring a cookie.
    pub cookie_threshold: usize,
    /// Silence after which a customer's router is asked whether it lives.
    pub dpd: Duration,
    /// How long a customer that was sent to another gateway may take to end its SAs here.
    pub redirect: Duration,
}

impl Limits {
    /// Those of the responder.
    pub(crate) fn of_ike(&self) -> ike::Limits {
        let mut limits = ike::Limits::default();
        limits.half_open_lifetime = self.half_open_lifetime;
        limits.half_open_max = self.half_open_max;
        limits.half_open_per_source = self.half_open_per_source;
        limits.cookie_threshold = self.cookie_threshold;
        limits.dpd_interval = self.dpd;
        limits.child_lifetime = Some(self.rekey_child);
        limits.ike_lifetime = Some(self.rekey_ike);
        limits.redirect_patience = self.redirect;
        limits
    }
}

impl Default for Limits {
    fn default() -> Self {
        let ike::Limits {
            half_open_lifetime,
            half_open_max,
            half_open_per_source,
            cookie_threshold,
            redirect_patience,
            ..
        } = ike::Limits::default();
        Self {
            sa_lease: Duration::from_secs(3600),
            sa_lifetime: Duration::from_secs(86_400),
            // Longer than what routers come with, so that theirs, with a policy of its own, goes first.
            rekey_child: Duration::from_secs(14 * 3600),
            rekey_ike: Duration::from_secs(28 * 3600),
            reconcile: Duration::from_secs(5),
            half_open_lifetime,
            half_open_max,
            half_open_per_source,
            cookie_threshold,
            dpd: Duration::from_secs(60),
            redirect: redirect_patience,
        }
    }
}
