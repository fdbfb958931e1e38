//! `operator.toml`.

use std::path::PathBuf;

use distributor_client::TlsFiles;
use serde::Deserialize;

use super::tls::TlsSection;
use super::values;

/// What the operator's commands need.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperatorConfig {
    /// `https://host:port`.
    #[serde(deserialize_with = "values::https")]
    pub(crate) distributor: String,
    /// `fleet.key`, with which `tunnel add` seals the pre-shared key.
    pub(crate) fleet_key: PathBuf,
    /// An operator's certificate.
    #[serde(deserialize_with = "TlsSection::deserialize")]
    pub(crate) tls: TlsFiles,
}
