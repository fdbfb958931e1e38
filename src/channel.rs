//! The way to the distributor: gRPC over mutual TLS.

use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::config::TlsFiles;
use crate::files::{self, FileError};

/// For the TCP connection and the TLS handshake together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection whose other end vanished without a word is given up after both.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no connection.
#[derive(Debug, Error)]
pub(crate) enum ChannelError {
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

/// Connects; the certificate files are read anew each time, so that a replaced one is used from then on.
pub(crate) async fn connect(url: &str, tls: &TlsFiles) -> Result<Channel, ChannelError> {
    match timeout(CONNECT_TIMEOUT, endpoint(url, tls)?.connect()).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(unreachable(url, causes(&error))),
        Err(_) => Err(unreachable(
            url,
            format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
        )),
    }
}

/// What can be known of a distributor's address and the certificate files without connecting.
pub(crate) fn check(url: &str, tls: &TlsFiles) -> Result<(), ChannelError> {
    endpoint(url, tls).map(drop)
}

fn endpoint(url: &str, tls: &TlsFiles) -> Result<Endpoint, ChannelError> {
    let bad_identity = |error| ChannelError::BadIdentity {
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
    Ok(endpoint)
}

fn unreachable(url: &str, reason: String) -> ChannelError {
    ChannelError::Unreachable {
        url: url.to_owned(),
        reason,
    }
}

fn tls_config(files: &TlsFiles) -> Result<ClientTlsConfig, ChannelError> {
    let ca = files::read_text(&files.ca)?;
    if !ca.contains("-----BEGIN CERTIFICATE-----") {
        return Err(ChannelError::BadAuthority(files.ca.display().to_string()));
    }
    let identity = Identity::from_pem(
        files::read_text(&files.certificate)?,
        files::read_secret(&files.key)?.as_str(),
    );
    Ok(ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(ca))
        .identity(identity))
}

/// An error and what caused it, in one line. Causes that say the same again are left out, and so is tonic's word for
/// whatever went wrong.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
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
    line
}

#[cfg(test)]
mod tests {
    use std::fs;

    use distributor::Role;
    use tempfile::TempDir;
    use tokio::net::TcpListener;

    use super::*;
    use crate::pki;

    fn operator() -> (TempDir, TlsFiles) {
        let dir = tempfile::tempdir().unwrap();
        pki::init(dir.path(), &"test".parse().unwrap()).unwrap();
        pki::issue(
            dir.path(),
            dir.path(),
            &Role::Operator("ann".parse().unwrap()),
            &[],
        )
        .unwrap();
        let file = |name| dir.path().join(name);
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
        let error = connect(&url, &tls).await.unwrap_err().to_string();
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
            let error = connect("https://127.0.0.1:1", &tls)
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
