//! `distributor.toml`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::tls::TlsFiles;
use super::values;

/// What `anyswan distributor` needs.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct DistributorConfig {
    /// Where edges and operators connect.
    #[serde(deserialize_with = "values::socket_address")]
    pub(crate) listen: SocketAddr,
    /// The store's file; it is made at the first start.
    pub(crate) store: PathBuf,
    /// A distributor's certificate.
    pub(crate) tls: TlsFiles,
    /// Optional.
    #[serde(default)]
    pub(crate) limits: DistributorLimits,
}

/// The section `[limits]`: durations with a default each.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DistributorLimits {
    /// Time to live of an edge's lease.
    #[serde(rename = "lease_seconds", deserialize_with = "values::seconds")]
    pub(crate) lease: Duration,
    /// How long a barrier waits for slow edges.
    #[serde(rename = "barrier_seconds", deserialize_with = "values::seconds")]
    pub(crate) barrier: Duration,
    /// How long a tombstone stays, and with it the reach of a resume.
    #[serde(rename = "tombstone_seconds", deserialize_with = "values::seconds")]
    pub(crate) tombstones: Duration,
}

impl Default for DistributorLimits {
    fn default() -> Self {
        let distributor::Limits {
            lease,
            barrier,
            tombstones,
            ..
        } = distributor::Limits::default();
        Self {
            lease,
            barrier,
            tombstones,
        }
    }
}

impl From<DistributorConfig> for distributor::Config {
    fn from(config: DistributorConfig) -> Self {
        let DistributorConfig {
            listen,
            store,
            tls,
            limits,
        } = config;
        Self {
            listen,
            store,
            tls: distributor::TlsFiles {
                ca: tls.ca,
                certificate: tls.certificate,
                key: tls.key,
            },
            limits: distributor::Limits {
                lease: limits.lease,
                barrier: limits.barrier,
                tombstones: limits.tombstones,
                ..distributor::Limits::default()
            },
        }
    }
}
