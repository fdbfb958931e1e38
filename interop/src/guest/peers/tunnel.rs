//! A tunnel that a customer orders, and what each side is told of it.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::Result;

use super::connection::{Connection, Credentials, Ppk};
use crate::guest::network::{Customer, ORIGIN_PREFIXES, Outer};

/// What our side says it is.
pub const FLEET_ID: &str = "fleet.example";

/// A customer's tunnel, as both sides know it.
#[derive(Clone, Debug)]
pub struct Tunnel {
    /// The operator's name for it.
    pub name: String,
    /// What the customer says it is.
    pub remote_id: String,
    /// How the fleet proves who it is, and the customer has to.
    pub credentials: Credentials,
    /// What is mixed into its keys besides.
    pub ppk: Option<Ppk>,
    /// Behind the fleet.
    pub local_ts: Vec<String>,
    /// Behind the customer.
    pub remote_ts: Vec<String>,
    /// The named network namespace of its inner side on every edge.
    pub netns: Option<String>,
    /// Suites of its child SAs; none for the fleet's default.
    pub esp: Vec<String>,
    /// Further words for `tunnel add`.
    pub options: Vec<String>,
}

impl Tunnel {
    /// What this customer would order: its own prefixes of both families, towards the origin's.
    pub fn of(customer: &Customer) -> Self {
        let name = customer.namespace.name();
        Self {
            name: name.to_owned(),
            remote_id: format!("{name}.example"),
            credentials: Credentials::Psk(format!("a key that only {name} and the fleet know")),
            ppk: None,
            local_ts: ORIGIN_PREFIXES.map(str::to_owned).to_vec(),
            remote_ts: customer.prefixes.to_vec(),
            netns: None,
            esp: Vec::new(),
            options: Vec::new(),
        }
    }

    /// What the operator types to let the customer set it up, with the files that it names.
    pub(super) fn arguments(&self) -> Result<Vec<String>> {
        let mut words = [
            "tunnel",
            "add",
            &self.name,
            "--remote-id",
            &self.remote_id,
            "--local-id",
            FLEET_ID,
        ]
        .map(str::to_owned)
        .to_vec();
        words.extend(self.credential_files()?);
        words.extend(self.ppk_arguments()?);
        let lists = [
            ("--local-ts", &self.local_ts),
            ("--remote-ts", &self.remote_ts),
            ("--esp", &self.esp),
        ];
        for (option, values) in lists {
            words.extend(values.iter().flat_map(|value| [option.to_owned(), value.clone()]));
        }
        if let Some(netns) = &self.netns {
            words.extend(["--netns".to_owned(), netns.clone()]);
        }
        words.extend(self.options.iter().cloned());
        Ok(words)
    }

    /// The operator's options, and the files they name.
    fn credential_files(&self) -> Result<Vec<String>> {
        let certificates = match &self.credentials {
            Credentials::Psk(psk) => {
                let path = key_file(&format!("{}.psk", self.name), psk)?;
                return Ok(vec!["--psk-file".to_owned(), path]);
            }
            Credentials::Certificates(certificates) => certificates,
        };
        let mut files = vec![
            ("--ca-file", &certificates.authority),
            ("--cert-file", &certificates.chain),
            ("--key-file", &certificates.key),
        ];
        files.extend(certificates.crl.as_ref().map(|crl| ("--crl-file", crl)));
        Ok(files
            .into_iter()
            .flat_map(|(option, path)| [option.to_owned(), path.display().to_string()])
            .collect())
    }

    fn ppk_arguments(&self) -> Result<Vec<String>> {
        let Some(Ppk { id, key, required }) = &self.ppk else {
            return Ok(Vec::new());
        };
        let path = key_file(&format!("{}.ppk", self.name), key)?;
        let words = ["--ppk-id", id, "--ppk-file", &path].map(str::to_owned);
        let required = required.then(|| "--ppk-required".to_owned());
        Ok(words.into_iter().chain(required).collect())
    }

    /// The same from the customer's side.
    pub fn connection(&self, local: IpAddr, outer: Outer) -> Connection {
        Connection {
            name: self.name.clone(),
            local: Some(local),
            remote: Some(outer.anycast()),
            local_id: self.remote_id.clone(),
            remote_id: FLEET_ID.to_owned(),
            credentials: self.credentials.clone(),
            ppk: self.ppk.clone(),
            ike: "aes256gcm16-prfsha256-x25519".to_owned(),
            esp: "aes256gcm16".to_owned(),
            local_ts: self.remote_ts.clone(),
            remote_ts: self.local_ts.clone(),
            dpd_seconds: 0,
            settings: Vec::new(),
        }
    }
}

/// A file that nobody else may read, with `key` in it; its path.
fn key_file(name: &str, key: &str) -> Result<String> {
    let path = PathBuf::from(name);
    fs::write(&path, key)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(path.display().to_string())
}
