//! How the two sides of a tunnel are to prove who they are: by a pre-shared key or by certificates.

use std::path::PathBuf;

use clap::Args;
use ike::Secret;
use proto::{AuthMethod, Identity, limits};

use super::super::failure::{Failure, Kind};
use super::certificates;
use super::psk;
use crate::{identity, seal};

/// Either a pre-shared key or certificates.
#[derive(Args, Debug)]
pub(super) struct CredentialArgs {
    /// File with the pre-shared key; `-` for standard input.
    #[arg(long, value_name = "FILE", required_unless_present = "cert_file")]
    #[arg(conflicts_with_all = ["ca_file", "crl_file", "cert_file", "key_file"])]
    psk_file: Option<String>,
    /// PEM file with the certificates of the authorities that the customer's may come from.
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    ca_file: Option<PathBuf>,
    /// PEM file with CRLs. With any at all, each authority between the customer's certificate and the trusted one needs one.
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    crl_file: Option<PathBuf>,
    /// PEM file with the certificate that the fleet shows the customer, and the intermediate ones above it.
    #[arg(long, value_name = "FILE", requires_all = ["ca_file", "key_file"])]
    cert_file: Option<PathBuf>,
    /// PEM file with the private key of the fleet's certificate.
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
}

/// What a tunnel's record needs of them.
pub(super) struct Credentials {
    pub(super) auth: AuthMethod,
    /// Whom the fleet proves to be.
    pub(super) local_id: Option<Identity>,
    /// To be sealed.
    pub(super) secret: Secret,
}

impl CredentialArgs {
    /// Reads the files, and refuses what could never authenticate the two.
    pub(super) fn read(
        &self,
        remote_id: &Identity,
        local_id: Option<&Identity>,
    ) -> Result<Credentials, Failure> {
        let wrong = |reason: &dyn std::fmt::Display| Failure::new(Kind::Usage, reason);
        let Self {
            psk_file: None,
            ca_file: Some(ca_file),
            cert_file: Some(cert_file),
            key_file: Some(key_file),
            crl_file,
        } = self
        else {
            return Ok(Credentials {
                auth: AuthMethod::Psk,
                local_id: local_id.cloned(),
                // clap lets nothing else through.
                secret: psk::read(self.psk_file.as_deref().unwrap_or("-"))?,
            });
        };
        let read = certificates::read(ca_file, crl_file.as_deref(), cert_file, key_file)?;
        let key = Secret::new(read.key.to_vec());
        let certificates = ike::Certificates::new(&read.anchors, &read.crls, &read.chain, &key);
        let certificates = certificates.map_err(|error| wrong(&error))?;
        let local_id = match local_id {
            Some(local_id) => local_id.clone(),
            None => identity::from_ike(&certificates.subject()).map_err(|_| {
                wrong(&"the fleet's certificate has no subject: say by --local-id which of its names to use")
            })?,
        };
        certificates
            .check(&identity::to_ike(remote_id), &identity::to_ike(&local_id))
            .map_err(|error| wrong(&error))?;
        let secret = Secret::new(std::mem::take(&mut *read.encode()));
        let (len, most) = (secret.expose().len(), limits::SECRET - seal::OVERHEAD);
        if len > most {
            return Err(wrong(&format_args!(
                "certificates and CRLs take {len} octets; a tunnel has room for {most}"
            )));
        }
        Ok(Credentials {
            auth: AuthMethod::Certificates,
            local_id: Some(local_id),
            secret,
        })
    }
}
