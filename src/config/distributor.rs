//! `distributor.toml`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use distributor_client::TlsFiles;
use serde::Deserialize;

use super::daemon;
use super::tls::TlsSection;

/// What `anyswan distributor` needs.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct DistributorConfig {
    /// Where edges and operators connect.
    #[serde(deserialize_with = "daemon::socket_address")]
    pub(crate) listen: SocketAddr,
    /// The store's file; it is made at the first start.
    pub(crate) store: PathBuf,
    /// A distributor's certificate.
    #[serde(deserialize_with = "TlsSection::deserialize")]
    pub(crate) tls: TlsFiles,
    /// Optional.
    #[serde(default)]
    pub(crate) limits: DistributorLimits,
}

/// The section `[limits]`: durations and bounds with a default each.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DistributorLimits {
    /// Time to live of an edge's lease.
    #[serde(rename = "lease_seconds", deserialize_with = "daemon::seconds")]
    pub(crate) lease: Duration,
    /// How long a barrier waits for slow edges.
    #[serde(rename = "barrier_seconds", deserialize_with = "daemon::seconds")]
    pub(crate) barrier: Duration,
    /// How long a tombstone stays, and with it the reach of a resume.
    #[serde(rename = "tombstone_seconds", deserialize_with = "daemon::seconds")]
    pub(crate) tombstones: Duration,
    /// IKE SAs that a tunnel may have at once.
    #[serde(deserialize_with = "daemon::count")]
    pub(crate) ike_sas_per_tunnel: usize,
    /// Child SAs that an IKE SA may have at once.
    #[serde(deserialize_with = "daemon::count")]
    pub(crate) child_sas_per_ike_sa: usize,
}

impl Default for DistributorLimits {
    fn default() -> Self {
        let distributor::Limits {
            lease,
            barrier,
            tombstones,
            customer,
            ..
        } = distributor::Limits::default();
        Self {
            lease,
            barrier,
            tombstones,
            ike_sas_per_tunnel: customer.ike_sas,
            child_sas_per_ike_sa: customer.child_sas,
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
            tls,
            limits: distributor::Limits {
                lease: limits.lease,
                barrier: limits.barrier,
                tombstones: limits.tombstones,
                customer: distributor::CustomerLimits {
                    ike_sas: limits.ike_sas_per_tunnel,
                    child_sas: limits.child_sas_per_ike_sa,
                },
                ..distributor::Limits::default()
            },
        }
    }
}
