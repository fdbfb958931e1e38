//! Certificates for both sides, by strongSwan's own tool.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::guest::host::namespace::Namespace;
use crate::guest::host::process;

/// RSA keys take long in an emulated machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Kinds of keys, in the tool's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// 2048 bits.
    Rsa,
    /// On P-256.
    Ecdsa,
    /// RFC 8032.
    Ed25519,
}

impl KeyKind {
    fn arguments(self) -> [&'static str; 4] {
        match self {
            Self::Rsa => ["--type", "rsa", "--size", "2048"],
            Self::Ecdsa => ["--type", "ecdsa", "--size", "256"],
            Self::Ed25519 => ["--type", "ed25519", "--debug", "1"],
        }
    }
}

/// What one side proves who it is with, and whom it believes: PEM files.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority to believe.
    pub authority: PathBuf,
    /// What it and those below it have revoked.
    pub crl: Option<PathBuf>,
    /// Its own certificate, and intermediate ones.
    pub chain: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Issues certificates; its files are in the working directory.
pub struct Authority {
    namespace: Namespace,
    name: String,
    /// The certificates from this one up to, and without, the root's.
    above: String,
}

impl Authority {
    /// One that signs its own certificate.
    ///
    /// # Errors
    /// The tool fails.
    pub fn root(namespace: &Namespace, name: &str, kind: KeyKind) -> Result<Self> {
        let authority = Self {
            namespace: namespace.clone(),
            name: name.to_owned(),
            above: String::new(),
        };
        authority.make_key(name, kind)?;
        let subject = subject(name);
        let key = authority.file("key").display().to_string();
        let words = ["--self", "--ca", "--in", &key, "--type", "priv", "--dn", &subject];
        let pem = authority.pki(&words)?;
        fs::write(authority.file("pem"), pem)?;
        Ok(authority)
    }

    /// One below this one.
    ///
    /// # Errors
    /// The tool fails.
    pub fn intermediate(&self, name: &str, kind: KeyKind) -> Result<Self> {
        let pem = self.certify(name, kind, &["--ca"])?;
        Ok(Self {
            namespace: self.namespace.clone(),
            name: name.to_owned(),
            above: format!("{pem}{}", self.above),
        })
    }

    /// A certificate for `host`, whose holder believes `anchor`, in files that begin with `file`.
    ///
    /// # Errors
    /// The tool fails.
    pub fn issue(&self, file: &str, host: &str, kind: KeyKind, anchor: &Self) -> Result<Certificates> {
        let pem = self.certify(file, kind, &["--san", host])?;
        let chain = PathBuf::from(format!("{file}.chain.pem"));
        fs::write(&chain, format!("{pem}{}", self.above))?;
        Ok(Certificates {
            authority: anchor.file("pem"),
            crl: None,
            chain,
            key: PathBuf::from(format!("{file}.key")),
        })
    }

    /// A CRL with the certificates in these files.
    ///
    /// # Errors
    /// The tool fails.
    pub fn crl(&self, files: &[&str]) -> Result<PathBuf> {
        let (certificate, key) = (self.file("pem"), self.file("key"));
        let mut words = vec!["--signcrl".to_owned(), "--cacert".to_owned()];
        words.extend([
            certificate.display().to_string(),
            "--cakey".to_owned(),
            key.display().to_string(),
        ]);
        for file in files {
            words.extend(["--cert".to_owned(), format!("{file}.pem")]);
        }
        let pem = self.pki(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
        let path = self.file("crl");
        fs::write(&path, pem)?;
        Ok(path)
    }

    fn certify(&self, name: &str, kind: KeyKind, more: &[&str]) -> Result<String> {
        self.make_key(name, kind)?;
        let subject = subject(name);
        let (certificate, key) = (self.file("pem"), self.file("key"));
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        let own_key = format!("{name}.key");
        let words = ["--issue", "--in", &own_key, "--type", "priv", "--dn", &subject];
        let by = ["--cacert", &certificate, "--cakey", &key];
        let pem = self.pki(&[&words[..], &by, more].concat())?;
        fs::write(format!("{name}.pem"), &pem)?;
        Ok(pem)
    }

    fn make_key(&self, name: &str, kind: KeyKind) -> Result<()> {
        let pem = self.pki(&[&["--gen"][..], &kind.arguments()].concat())?;
        let path = PathBuf::from(format!("{name}.key"));
        fs::write(&path, pem)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(())
    }

    /// `pki` with these words; what it writes, in PEM.
    fn pki(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new("pki");
        command.args(words).args(["--outform", "pem"]);
        process::check(&self.namespace, LIMIT, &command)
    }

    fn file(&self, extension: &str) -> PathBuf {
        PathBuf::from(format!("{}.{extension}", self.name))
    }
}

fn subject(name: &str) -> String {
    format!("C=CH, O=Lab, CN={name}")
}
