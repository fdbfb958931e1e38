//! How the two sides of a tunnel are to prove who they are: by a pre-shared key or by certificates, and by a post-quantum
//! pre-shared key besides.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use clap::Args;
use proto::{AuthMethod, Identity, Ppk, Secret, TunnelSecrets, limits};

use super::super::failure::{Failure, Kind};
use super::certificates;
use super::key_file::{self, STANDARD_INPUT};
use super::ppk::PpkArgs;

/// RFC 7296 section 2.15 asks for a pre-shared key with as much unpredictability as the strongest key negotiated; what is
/// shorter than this cannot have it.
const LEAST: usize = 16;

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
    #[command(flatten)]
    ppk: PpkArgs,
}

/// What a tunnel's record needs of them.
pub(super) struct Credentials {
    pub(super) auth: AuthMethod,
    pub(super) ppk: Option<Ppk>,
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
        let credentials = match self {
            Self {
                psk_file: None,
                ca_file: Some(ca_file),
                cert_file: Some(cert_file),
                key_file: Some(key_file),
                ..
            } => self.read_certificates((ca_file, cert_file, key_file), remote_id, local_id)?,
            // clap lets nothing else through.
            _ => self.read_psk(local_id)?,
        };
        let credentials = self.add_ppk(credentials)?;
        let (len, most) = (
            credentials.secret.expose().len(),
            limits::SECRET - sealing::OVERHEAD,
        );
        match len > most {
            true => Err(wrong(format_args!(
                "certificates, CRLs and keys take {len} octets; a tunnel has room for {most}"
            ))),
            false => Ok(credentials),
        }
    }

    fn read_psk(&self, local_id: Option<&Identity>) -> Result<Credentials, Failure> {
        let file = self.psk_file.as_deref().unwrap_or(STANDARD_INPUT);
        if file == STANDARD_INPUT && self.ppk.is_on_standard_input() {
            return Err(wrong("standard input cannot be the pre-shared key and the PPK"));
        }
        Ok(Credentials {
            auth: AuthMethod::Psk,
            ppk: None,
            local_id: local_id.cloned(),
            secret: key_file::read(file, LEAST)?,
        })
    }

    fn read_certificates(
        &self,
        (ca_file, cert_file, key_file): (&Path, &Path, &Path),
        remote_id: &Identity,
        local_id: Option<&Identity>,
    ) -> Result<Credentials, Failure> {
        let read = certificates::read(ca_file, self.crl_file.as_deref(), cert_file, key_file)?;
        let local_id = certificates::check(&read, remote_id, local_id)?;
        Ok(Credentials {
            auth: AuthMethod::Certificates,
            ppk: None,
            local_id: Some(local_id),
            secret: read.encode(),
        })
    }

    fn add_ppk(&self, credentials: Credentials) -> Result<Credentials, Failure> {
        let Some((ppk, key)) = self.ppk.read()? else {
            return Ok(credentials);
        };
        // "This PPK is independent of the preshared key (if any)" (RFC 8784 section 2).
        if key == credentials.secret {
            return Err(wrong("the PPK is the pre-shared key: it has to be another"));
        }
        let secrets = TunnelSecrets {
            credentials: credentials.secret,
            ppk: key,
        };
        Ok(Credentials {
            ppk: Some(ppk),
            secret: secrets.encode(),
            ..credentials
        })
    }
}

fn wrong(reason: impl Display) -> Failure {
    Failure::new(Kind::Usage, reason)
}
