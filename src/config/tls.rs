//! Where a daemon or operator finds its certificate.

use std::path::PathBuf;

use serde::Deserialize;

/// The section `[tls]`: what `anyswan pki issue` wrote.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsFiles {
    /// The fleet's authority, `ca.pem`.
    pub(crate) ca: PathBuf,
    /// This member's certificate, `NAME.pem`.
    pub(crate) certificate: PathBuf,
    /// Its private key, `NAME.key`.
    pub(crate) key: PathBuf,
}
