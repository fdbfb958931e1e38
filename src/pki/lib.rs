//! The fleet's own certificates, so that a first start needs no other tool.
//!
//! `init` makes a certificate authority and the fleet key; `issue` makes a certificate for one edge, operator or
//! distributor. What its holder may do stands in the certificate, as the URI of a [`Role`].

#![forbid(unsafe_code)]
#![warn(
    clippy::iter_over_hash_type,
    clippy::unwrap_in_result,
    clippy::wildcard_enum_match_arm
)]

mod authority;
mod issue;

use std::path::{Path, PathBuf};

use distributor_client::Role;
use files::FileError;
use proto::Name;
use sealing::{FleetKey, FleetKeyError};
use thiserror::Error;

pub use self::issue::Address;

const CA_CERTIFICATE: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
const FLEET_KEY: &str = "fleet.key";

/// Why nothing was made.
#[derive(Debug, Error)]
pub enum PkiError {
    /// A file cannot be read, or is there already.
    #[error(transparent)]
    File(#[from] FileError),
    /// The fleet key cannot be made.
    #[error(transparent)]
    FleetKey(#[from] FleetKeyError),
    /// The authority's files hold something else.
    #[error("{0}: not what `anyswan pki init` wrote: {1}")]
    BadAuthority(PathBuf, rcgen::Error),
    /// The certificate cannot be made.
    #[error("cannot make the certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// Edges verify the distributor's address, so its certificate has to hold one.
    #[error(
        "a distributor's certificate needs the addresses that edges and operators reach it at: add --address"
    )]
    NoAddress,
}

/// Makes the authority and the fleet key in `dir`; returns the files, the public one first.
pub fn init(dir: &Path, fleet: &Name) -> Result<Vec<PathBuf>, PkiError> {
    for name in [FLEET_KEY, CA_KEY, CA_CERTIFICATE] {
        files::check_new(&dir.join(name))?;
    }
    files::create_dir(dir)?;
    let authority = authority::create(fleet)?;
    let fleet_key = FleetKey::generate()?;
    let fleet_key_path = write(
        dir,
        FLEET_KEY,
        fleet_key.to_file_text().as_bytes(),
        files::PRIVATE,
    )?;
    let key_path = write(dir, CA_KEY, authority.key_pem.as_bytes(), files::PRIVATE)?;
    let certificate_path = write(
        dir,
        CA_CERTIFICATE,
        authority.certificate_pem.as_bytes(),
        files::PUBLIC,
    )?;
    Ok(vec![certificate_path, key_path, fleet_key_path])
}

/// Makes a certificate and its key in `out`, signed by the authority in `dir`; returns both files.
pub fn issue(dir: &Path, out: &Path, role: &Role, addresses: &[Address]) -> Result<Vec<PathBuf>, PkiError> {
    let name = role.name();
    if matches!(role, Role::Distributor(_)) && addresses.is_empty() {
        return Err(PkiError::NoAddress);
    }
    let (key_file, certificate_file) = (format!("{name}.key"), format!("{name}.pem"));
    for name in [&key_file, &certificate_file] {
        files::check_new(&out.join(name))?;
    }
    let authority = authority::load(&dir.join(CA_CERTIFICATE), &dir.join(CA_KEY))?;
    let issued = issue::issue(&authority, role, addresses)?;
    files::create_dir(out)?;
    let key_path = write(out, &key_file, issued.key_pem.as_bytes(), files::PRIVATE)?;
    let certificate = issued.certificate_pem.as_bytes();
    let certificate_path = write(out, &certificate_file, certificate, files::PUBLIC)?;
    Ok(vec![certificate_path, key_path])
}

fn write(dir: &Path, name: &str, contents: &[u8], mode: u32) -> Result<PathBuf, FileError> {
    let path = dir.join(name);
    files::write_new(&path, contents, mode)?;
    Ok(path)
}

#[cfg(test)]
mod tests;
