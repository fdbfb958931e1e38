//! Certificates, CRLs and private keys from PEM files.

use std::path::Path;

use proto::{Identity, Secret, TunnelCertificates};
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

/// Refuses what could never authenticate the two sides; gives whom the fleet proves to be.
#[cfg(feature = "certificates")]
pub(super) fn check(
    read: &TunnelCertificates,
    remote_id: &Identity,
    local_id: Option<&Identity>,
) -> Result<Identity, Failure> {
    let refused = |reason: String| Failure::new(Kind::Usage, reason);
    let certificates = ike::Certificates::new(&read.anchors, &read.crls, &read.chain, &read.key);
    let certificates = certificates.map_err(|error| refused(error.to_string()))?;
    let local_id = match local_id {
        Some(local_id) => local_id.clone(),
        None => certificates.subject().validated().map_err(|_| {
            refused(
                "the fleet's certificate has no subject: say by --local-id which of its names to use"
                    .to_owned(),
            )
        })?,
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let checked = certificates.check(remote_id, &local_id, now);
    checked.map_err(|error| refused(error.to_string()))?;
    Ok(local_id)
}

/// A tunnel with certificates that do not fit would refuse its customer, so none is made unchecked.
#[cfg(not(feature = "certificates"))]
pub(super) fn check(
    _read: &TunnelCertificates,
    _remote_id: &Identity,
    _local_id: Option<&Identity>,
) -> Result<Identity, Failure> {
    Err(Failure::new(
        Kind::Usage,
        "this build of anyswan cannot check certificates: use one that was made with the feature `certificates`",
    ))
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
