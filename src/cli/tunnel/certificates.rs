//! Certificates, CRLs and private keys from PEM files.

use std::path::Path;

use proto::{Secret, TunnelCertificates};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::super::failure::{Failure, Kind};

/// Reads the files of a tunnel; what may stand in them `ike` knows.
pub(super) fn read(
    anchors: &Path,
    crls: Option<&Path>,
    chain: &Path,
    key: &Path,
) -> Result<TunnelCertificates, Failure> {
    let crls = crls
        .map(|crls| all::<CertificateRevocationListDer<'static>>(crls, "CRL"))
        .transpose()?;
    Ok(TunnelCertificates {
        anchors: all::<CertificateDer<'static>>(anchors, "certificate")?,
        crls: crls.unwrap_or_default(),
        chain: all::<CertificateDer<'static>>(chain, "certificate")?,
        key: private_key(key)?,
    })
}

/// Everything of that `kind` in the file, in its order, in DER.
fn all<T: PemObject + AsRef<[u8]>>(path: &Path, kind: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let octets = files::read(path)?;
    let found = T::pem_slice_iter(&octets);
    let found: Result<Vec<_>, _> = found
        .map(|found| found.map(|der| der.as_ref().to_vec()))
        .collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(wrong(
            path,
            &format!("there is no {kind} in PEM in it; openssl(1) makes PEM of DER"),
        )),
    }
}

fn private_key(path: &Path) -> Result<Secret, Failure> {
    let text = files::read_secret(path)?;
    match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
        Ok(key) => Ok(Secret::new(key.secret_der().to_vec())),
        Err(_) => Err(wrong(path, "there is no private key in PEM, or it is encrypted")),
    }
}

fn wrong(path: &Path, reason: &str) -> Failure {
    Failure::new(Kind::Usage, format_args!("{}: {reason}", path.display()))
}
