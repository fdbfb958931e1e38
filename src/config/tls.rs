//! Where a daemon or operator finds its certificate.

use std::path::PathBuf;

use distributor_client::TlsFiles;
use serde::Deserialize;

/// The section `[tls]`: what `anyswan pki issue` wrote.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "TlsFiles")]
pub(super) struct TlsSection {
    /// The fleet's authority, `ca.pem`.
    pub(super) ca: PathBuf,
    /// This member's certificate, `NAME.pem`.
    pub(super) certificate: PathBuf,
    /// Its private key, `NAME.key`.
    pub(super) key: PathBuf,
}
