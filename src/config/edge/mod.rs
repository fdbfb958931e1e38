//! `edge.toml`.

mod addresses;
mod threads;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use distributor_client::TlsFiles;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::tls::TlsSection;
use super::{daemon, values};

/// What `anyswan edge` needs.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct EdgeConfig {
    /// The anycast addresses that customers send to.
    #[serde(deserialize_with = "addresses::anycast")]
    pub(crate) addresses: Vec<IpAddr>,
    /// `https://host:port`.
    #[serde(deserialize_with = "values::https")]
    pub(crate) distributor: String,
    /// This edge's unicast address and UDP port, where other edges pass it the IKE messages that it owns.
    #[serde(deserialize_with = "addresses::reachable")]
    pub(crate) forward: SocketAddr,
    /// Loopback address of `/health` and `/metrics`.
    #[serde(deserialize_with = "addresses::loopback")]
    pub(crate) health: SocketAddr,
    /// `fleet.key`.
    pub(crate) fleet_key: PathBuf,
    /// An edge's certificate.
    #[serde(deserialize_with = "TlsSection::deserialize")]
    pub(crate) tls: TlsFiles,
    /// How many threads negotiate; as many as there are processors by default.
    #[serde(default = "threads::processors", deserialize_with = "threads::count")]
    pub(crate) threads: usize,
    /// Whether customers' routers are told of IKE SAs that the whole fleet has lost (RFC 6290).
    #[serde(default = "on")]
    pub(crate) quick_crash_detection: bool,
    /// Optional.
    #[serde(default, deserialize_with = "consistent")]
    pub(crate) limits: EdgeLimits,
}

/// For a switch that is on unless the file says otherwise.
fn on() -> bool {
    true
}

/// A child SA that lives too short to be rekeyed would be an interruption for its customer.
fn consistent<'de, D: Deserializer<'de>>(input: D) -> Result<EdgeLimits, D::Error> {
    let limits = EdgeLimits::deserialize(input)?;
    if limits.rekey_child < limits.sa_lifetime {
        return Ok(limits);
    }
    Err(D::Error::custom(format!(
        "rekey_child_seconds ({}) must be less than sa_lifetime_seconds ({})",
        limits.rekey_child.as_secs(),
        limits.sa_lifetime.as_secs()
    )))
}

/// The section `[limits]`: durations and bounds with a default each.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EdgeLimits {
    /// How long the kernel keeps an SA after this edge was last in sync with the distributor.
    #[serde(rename = "sa_lease_seconds", deserialize_with = "daemon::seconds")]
    pub(crate) sa_lease: Duration,
    /// How long a child SA lives when nobody ends it before.
    #[serde(rename = "sa_lifetime_seconds", deserialize_with = "daemon::seconds")]
    pub(crate) sa_lifetime: Duration,
    /// Age at which a child SA is rekeyed when the customer's router has not done it before.
    #[serde(rename = "rekey_child_seconds", deserialize_with = "daemon::seconds")]
    pub(crate) rekey_child: Duration,
    /// Age at which an IKE SA is rekeyed when the customer's router has not done it before.
    #[serde(rename = "rekey_ike_seconds", deserialize_with = "daemon::seconds")]
    pub(crate) rekey_ike: Duration,
    /// How often the whole kernel state is compared and reconciled.
    #[serde(rename = "reconcile_seconds", deserialize_with = "daemon::seconds")]
    pub(crate) reconcile: Duration,
    /// How long a customer may take from its first message to its authentication.
    #[serde(rename = "half_open_seconds", deserialize_with = "daemon::seconds")]
    pub(crate) half_open_lifetime: Duration,
    /// IKE SAs that may be half open at once.
    #[serde(deserialize_with = "daemon::count")]
    pub(crate) half_open_max: usize,
    /// Of those, the ones that an IPv4 address or an IPv6 /64 may begin while cookies are asked for.
    #[serde(deserialize_with = "daemon::count")]
    pub(crate) half_open_per_source: usize,
    /// From so many half-open IKE SAs on, new customers have to bring a cookie.
    #[serde(deserialize_with = "daemon::count")]
    pub(crate) cookie_threshold: usize,
    /// Silence after which a customer's router is asked whether it lives.
    #[serde(rename = "dpd_seconds", deserialize_with = "daemon::seconds")]
    pub(crate) dpd: Duration,
    /// How long a customer that was sent to another gateway may take to end its SAs here.
    #[serde(rename = "redirect_seconds", deserialize_with = "daemon::seconds")]
    pub(crate) redirect: Duration,
}

impl Default for EdgeLimits {
    fn default() -> Self {
        let edge::Limits {
            sa_lease,
            sa_lifetime,
            rekey_child,
            rekey_ike,
            reconcile,
            half_open_lifetime,
            half_open_max,
            half_open_per_source,
            cookie_threshold,
            dpd,
            redirect,
        } = edge::Limits::default();
        Self {
            sa_lease,
            sa_lifetime,
            rekey_child,
            rekey_ike,
            reconcile,
            half_open_lifetime,
            half_open_max,
            half_open_per_source,
            cookie_threshold,
            dpd,
            redirect,
        }
    }
}

impl From<EdgeLimits> for edge::Limits {
    fn from(limits: EdgeLimits) -> Self {
        let EdgeLimits {
            sa_lease,
            sa_lifetime,
            rekey_child,
            rekey_ike,
            reconcile,
            half_open_lifetime,
            half_open_max,
            half_open_per_source,
            cookie_threshold,
            dpd,
            redirect,
        } = limits;
        Self {
            sa_lease,
            sa_lifetime,
            rekey_child,
            rekey_ike,
            reconcile,
            half_open_lifetime,
            half_open_max,
            half_open_per_source,
            cookie_threshold,
            dpd,
            redirect,
        }
    }
}

impl From<EdgeConfig> for edge::Config {
    fn from(config: EdgeConfig) -> Self {
        Self {
            addresses: config.addresses,
            distributor: config.distributor,
            forward: config.forward,
            health: config.health,
            fleet_key: config.fleet_key,
            tls: config.tls,
            threads: config.threads,
            quick_crash_detection: config.quick_crash_detection,
            limits: config.limits.into(),
        }
    }
}
