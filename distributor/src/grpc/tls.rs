//! The distributor's side of TLS: its own certificate, and whose callers' certificates are good.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use distributor_client::{Role, RoleError, TlsFiles};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{RootCertStore, ServerConfig};
use tokio::sync::watch;
use zeroize::Zeroizing;

/// A TLS file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", file.display())]
pub struct TlsError {
    file: PathBuf,
    fault: Fault,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("holds no readable PEM: {0}")]
    Pem(#[from] pem::Error),
    #[error("holds no certificate")]
    Empty,
    #[error("cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    #[error("cannot be used: {0}")]
    Verifier(#[from] VerifierBuilderError),
    #[error(transparent)]
    Role(#[from] RoleError),
    #[error("is the certificate of {0}, where a distributor's is needed")]
    NotADistributor(Role),
}

impl Fault {
    fn of(self, file: &Path) -> TlsError {
        TlsError {
            file: file.to_owned(),
            fault: self,
        }
    }
}

/// What the files hold.
#[derive(PartialEq, Eq)]
pub(crate) struct Pem {
    ca: Vec<u8>,
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Pem {
    /// Reads the files.
    pub(crate) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let read = |file: &Path| std::fs::read(file).map_err(|error| Fault::from(error).of(file));
        Ok(Self {
            ca: read(&files.ca)?,
            certificate: read(&files.certificate)?,
            key: Zeroizing::new(read(&files.key)?),
        })
    }

    /// What a new connection needs. Both ends are ours and of today: TLS 1.3 (RFC 8446), a certificate from either
    /// side in every handshake, and no tickets that would spare a caller the next check.
    pub(crate) fn config(&self, files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
        let roots = roots(&self.ca).map_err(|fault| fault.of(&files.ca))?;
        let chain = chain(&self.certificate).map_err(|fault| fault.of(&files.certificate))?;
        let key =
            PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| Fault::from(error).of(&files.key))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| Fault::from(error).of(&files.ca))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .and_then(|builder| {
                builder
                    .with_client_cert_verifier(verifier)
                    .with_single_cert(chain, key)
            })
            .map_err(|error| Fault::from(error).of(&files.certificate))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

/// Looks at the files every `period`, and passes on what new connections need when they have changed. A file that
/// cannot be used leaves the old ones in force.
pub(crate) async fn watch(
    files: TlsFiles,
    mut current: Pem,
    period: Duration,
    changed: watch::Sender<Arc<ServerConfig>>,
) {
    loop {
        tokio::time::sleep(period).await;
        match Pem::read(&files).and_then(|pem| Ok((pem.config(&files)?, pem))) {
            Ok((_, pem)) if pem == current => {}
            Ok((config, pem)) => {
                tracing::info!("new connections use the changed TLS files");
                current = pem;
                changed.send_replace(config);
            }
            Err(error) => tracing::warn!(%error, "a TLS file cannot be used; the old ones stay in force"),
        }
    }
}

fn roots(ca: &[u8]) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca) {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        Err(Fault::Empty)
    } else {
        Ok(roots)
    }
}

/// The distributor's own certificate and what links it to the authority.
fn chain(certificate: &[u8]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>()?;
    match Role::of_certificate(chain.first().ok_or(Fault::Empty)?)? {
        Role::Distributor(_) => Ok(chain),
        other @ (Role::Edge(_) | Role::Operator(_)) => Err(Fault::NotADistributor(other)),
    }
}
