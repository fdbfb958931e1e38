//! The way to the distributor: gRPC over mutual TLS.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use files::FileError;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use thiserror::Error;
use tokio::time::timeout;
use tonic::Status;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::role::{Role, RoleError};
use crate::tls_remedy::tls_remedy;

/// For the TCP connection and the TLS handshake together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection whose other end vanished is closed after both.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// PEM files of one side of a connection. They are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The fleet's own certificate authority.
    pub ca: PathBuf,
    /// This side's certificate, with any intermediate ones behind it.
    pub certificate: PathBuf,
    /// The key of the first certificate.
    pub key: PathBuf,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// A file of section `[tls]` cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file of section `[tls]` holds something else.
    #[error("{certificate} and {key} are no certificate and key: {reason}")]
    BadIdentity {
        /// Path of the certificate.
        certificate: String,
        /// Path of the key.
        key: String,
        /// What is wrong with them.
        reason: String,
    },
    /// The certificate is somebody else's, or nobody's.
    #[error(
        "{certificate}: {found}, where an {needed}'s is needed; `anyswan pki issue --dir DIR {needed} NAME` makes one"
    )]
    WrongHolder {
        /// Path of the certificate.
        certificate: String,
        /// Whose it is.
        found: String,
        /// Whose it has to be.
        needed: Holder,
    },
    /// The authority's file holds no certificate.
    #[error("{0}: there is no certificate in it; it has to be the fleet's ca.pem")]
    BadAuthority(String),
    /// The distributor does not answer, or one side does not accept the other's certificate.
    #[error("no connection to the distributor at {url}: {reason}")]
    Unreachable {
        /// As configured.
        url: String,
        /// Every cause, the outermost first.
        reason: String,
    },
}

/// Whose certificate the distributor has to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// An edge's.
    Edge,
    /// An operator's.
    Operator,
}

/// As `anyswan pki issue` takes it.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Edge => "edge",
            Self::Operator => "operator",
        })
    }
}

/// Connects; the certificate files are read anew each time, so that a replaced one is used from then on.
pub async fn connect(url: &str, tls: &TlsFiles, holder: Holder) -> Result<Channel, ConnectError> {
    match timeout(CONNECT_TIMEOUT, endpoint(url, tls, holder)?.connect()).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(unreachable(url, causes(&error))),
        Err(_) => Err(unreachable(
            url,
            format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
        )),
    }
}

/// What can be known of a distributor's address and the certificate files without connecting.
pub fn check(url: &str, tls: &TlsFiles, holder: Holder) -> Result<(), ConnectError> {
    endpoint(url, tls, holder).map(drop)
}

/// Why there is no answer, when the connection is what has failed. In TLS 1.3 that is also how a distributor that does not
/// accept a certificate shows: the caller has finished its handshake by then (RFC 8446 section 2).
pub fn broken(status: &Status) -> Option<String> {
    let cause = causes(std::error::Error::source(status)?);
    Some(format!(
        "the distributor does not answer, or does not accept this certificate because it has expired or is not from the \
         authority that `ca` names there (the distributor's log tells why): {cause}"
    ))
}

fn endpoint(url: &str, tls: &TlsFiles, holder: Holder) -> Result<Endpoint, ConnectError> {
    let bad_identity = |error| ConnectError::BadIdentity {
        certificate: tls.certificate.display().to_string(),
        key: tls.key.display().to_string(),
        reason: causes(&error),
    };
    let endpoint = Endpoint::from_shared(url.to_owned())
        .map_err(|error| unreachable(url, causes(&error)))?
        .tls_config(tls_config(tls)?)
        .map_err(bad_identity)?
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .tcp_nodelay(true);
    check_holder(tls, holder)?;
    Ok(endpoint)
}

/// The distributor would refuse another's, again and again.
fn check_holder(tls: &TlsFiles, needed: Holder) -> Result<(), ConnectError> {
    let pem = files::read_text(&tls.certificate)?;
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| RoleError::Malformed);
    let found = match certificate.and_then(|der| Role::of_certificate(&der)) {
        Ok(Role::Edge(_)) if needed == Holder::Edge => return Ok(()),
        Ok(Role::Operator(_)) if needed == Holder::Operator => return Ok(()),
        Ok(other) => format!("is the certificate of {other}"),
        Err(error) => error.to_string(),
    };
    Err(ConnectError::WrongHolder {
        certificate: tls.certificate.display().to_string(),
        found,
        needed,
    })
}

fn unreachable(url: &str, reason: String) -> ConnectError {
    ConnectError::Unreachable {
        url: url.to_owned(),
        reason,
    }
}

fn tls_config(files: &TlsFiles) -> Result<ClientTlsConfig, ConnectError> {
    let ca = files::read_text(&files.ca)?;
    if !ca.contains("-----BEGIN CERTIFICATE-----") {
        return Err(ConnectError::BadAuthority(files.ca.display().to_string()));
    }
    let identity = Identity::from_pem(
        files::read_text(&files.certificate)?,
        files::read_secret(&files.key)?.as_str(),
    );
    Ok(ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(ca))
        .identity(identity))
}

/// An error and what caused it, in one line, with the remedy if one is known. Causes that say the same again are left out, and
/// so is tonic's name for any failure.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        next = error.source();
        let says_nothing = text == "transport error" && next.is_some();
        if says_nothing || line.ends_with(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    if let Some(remedy) = tls_remedy(error) {
        line.push_str("; ");
        line.push_str(remedy);
    }
    line
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
    use tempfile::TempDir;
    use tokio::net::TcpListener;

    use super::*;

    /// What `anyswan pki` writes for a fleet with an operator.
    fn operator() -> (TempDir, TlsFiles) {
        let dir = tempfile::tempdir().unwrap();
        let file = |name| dir.path().join(name);
        let authority = CertificateParams::default();
        let ca_key = KeyPair::generate().unwrap();
        let ca = authority.self_signed(&ca_key).unwrap().pem();
        let ca_key_pem = ca_key.serialize_pem();
        let mut params = CertificateParams::default();
        let role = Role::Operator("ann".parse().unwrap());
        params.subject_alt_names = vec![SanType::URI(role.to_uri().try_into().unwrap())];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &Issuer::new(authority, ca_key)).unwrap();
        for (name, text) in [
            ("ca.pem", ca),
            ("ca.key", ca_key_pem),
            ("ann.pem", certificate.pem()),
            ("ann.key", key.serialize_pem()),
            ("fleet.key", "42".repeat(32)),
        ] {
            files::write_new(&file(name), text.as_bytes(), files::PRIVATE).unwrap();
        }
        let tls = TlsFiles {
            ca: file("ca.pem"),
            certificate: file("ann.pem"),
            key: file("ann.key"),
        };
        (dir, tls)
    }

    #[tokio::test(start_paused = true)]
    async fn a_distributor_that_accepts_and_says_nothing_is_given_up() {
        let (_dir, tls) = operator();
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", silent.local_addr().unwrap());
        let error = connect(&url, &tls, Holder::Operator)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&url) && error.contains("no answer within 5 s"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_wrong_file_is_named() {
        let (dir, good) = operator();
        let fleet_key = dir.path().join("fleet.key");
        let secret = fs::read_to_string(&fleet_key).unwrap();
        let wrong = [
            (
                TlsFiles {
                    ca: fleet_key.clone(),
                    ..good.clone()
                },
                "fleet.key: there is no certificate",
            ),
            (
                TlsFiles {
                    key: fleet_key.clone(),
                    ..good.clone()
                },
                "fleet.key are no certificate and key",
            ),
            (
                TlsFiles {
                    key: dir.path().join("ca.key"),
                    ..good.clone()
                },
                "ca.key are no certificate and key",
            ),
            (
                TlsFiles {
                    certificate: dir.path().join("x.pem"),
                    ..good
                },
                "x.pem: cannot read",
            ),
        ];
        for (tls, expected) in wrong {
            let error = connect("https://127.0.0.1:1", &tls, Holder::Operator)
                .await
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(expected) && !error.contains(secret.trim()),
                "{error}"
            );
        }
    }
}
