//! Our side: the fleet's certificates, a distributor, an edge on each host that the network has for one, and an operator.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::guest::host::namespace::Namespace;
use crate::guest::host::process;
use crate::guest::host::service::Service;
use crate::guest::network::topology::{
    ANYCAST, Customer, DISTRIBUTOR, Network, ORIGIN_PREFIXES, Outer, management,
};
use crate::guest::peers::connection::{Connection, Credentials, Ppk};
use crate::report::place;

/// For one command, or one start, in an emulated machine on a busy one.
const LIMIT: Duration = Duration::from_secs(60);

/// The distributor's port.
const PORT: u16 = 7400;

/// How long the distributor waits for slow edges. Emulated ones are slow, and a scenario that is about the deadline sets its own.
const BARRIER_SECONDS: u32 = 10;

/// What our side says it is.
pub const FLEET_ID: &str = "fleet.example";

/// A fleet that runs; dropped, its programs are killed.
pub struct Fleet {
    /// The distributor.
    pub distributor: Service,
    /// The edges, in the network's order.
    pub edges: Vec<Service>,
    operator: Namespace,
}

impl Fleet {
    /// Makes certificates and configs in the working directory, starts the programs, and waits until every edge is ready.
    /// The edges' configs end with `settings`.
    ///
    /// # Errors
    /// A program fails; its log says why.
    pub fn start(network: &Network, settings: &str) -> Result<Self> {
        let here = std::env::current_dir()?;
        issue(network)?;

        let config = here.join("distributor.toml");
        fs::write(&config, distributor_config(&here))?;
        let mut distributor = Service::new(&network.dist, "distributor", daemon("distributor", &config))?;
        distributor.start()?;
        distributor.wait_ready(LIMIT)?;

        let mut edges = Vec::new();
        for (index, namespace) in network.edges.iter().enumerate() {
            let config = here.join(format!("{}.toml", namespace.name()));
            fs::write(
                &config,
                edge_config(&here, namespace.name(), index + 1) + settings,
            )?;
            let mut edge = Service::new(namespace, namespace.name(), daemon("edge", &config))?;
            edge.start()?;
            edges.push(edge);
        }
        for edge in &mut edges {
            edge.wait_ready(LIMIT)?;
        }
        fs::write(here.join("operator.toml"), operator_config(&here))?;
        Ok(Self {
            distributor,
            edges,
            operator: network.dist.clone(),
        })
    }

    /// Lets a customer set up `tunnel`.
    ///
    /// # Errors
    /// The operator's command fails.
    pub fn add(&self, tunnel: &Tunnel) -> Result<()> {
        let mut words = vec!["tunnel", "add", &tunnel.name, "--remote-id", &tunnel.remote_id];
        words.extend(["--local-id", FLEET_ID]);
        let files = [tunnel.credential_files()?, tunnel.ppk_words()?].concat();
        words.extend(files.iter().map(String::as_str));
        for prefix in &tunnel.local_ts {
            words.extend(["--local-ts", prefix]);
        }
        for prefix in &tunnel.remote_ts {
            words.extend(["--remote-ts", prefix]);
        }
        if let Some(netns) = &tunnel.netns {
            words.extend(["--netns", netns]);
        }
        for suite in &tunnel.esp {
            words.extend(["--esp", suite]);
        }
        words.extend(tunnel.options.iter().map(String::as_str));
        self.operate(&words).map(drop)
    }

    /// Runs `anyswan` with these words as the operator, and returns what it wrote.
    ///
    /// # Errors
    /// It fails; the error carries all it wrote.
    pub fn operate(&self, words: &[&str]) -> Result<String> {
        process::check(&self.operator, LIMIT, &self.command(words)?)
    }

    /// As [`Fleet::operate`] where it may well fail: the output tells.
    ///
    /// # Errors
    /// There is no such program.
    pub fn try_operate(&self, words: &[&str]) -> Result<Output> {
        process::run(&self.operator, LIMIT, &self.command(words)?)
    }

    /// Runs a reading command with `--json`.
    ///
    /// # Errors
    /// As [`Fleet::operate`], or the output is no JSON.
    pub fn read(&self, words: &[&str]) -> Result<Value> {
        let text = self.operate(&[words, &["--json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("{words:?} wrote {text}"))
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(place::program("anyswan"));
        command
            .args(words)
            .env("ANYSWAN_CONFIG", std::env::current_dir()?.join("operator.toml"));
        Ok(command)
    }
}

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

    fn ppk_words(&self) -> Result<Vec<String>> {
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

/// The authority, and a certificate for everyone, in `pki/`.
fn issue(network: &Network) -> Result<()> {
    let pki = |words: &[&str]| {
        let mut command = Command::new(place::program("anyswan"));
        command.arg("pki").args(words);
        process::check(&network.dist, LIMIT, &command)
    };
    pki(&["init", "--dir", "pki", "--fleet", "lab"])?;
    let address = DISTRIBUTOR.to_string();
    pki(&[
        "issue",
        "--dir",
        "pki",
        "distributor",
        "distributor",
        "--address",
        &address,
    ])?;
    pki(&["issue", "--dir", "pki", "operator", "operator"])?;
    for edge in &network.edges {
        pki(&["issue", "--dir", "pki", "edge", edge.name()])?;
    }
    Ok(())
}

fn daemon(role: &str, config: &Path) -> Command {
    let mut command = Command::new(place::program("anyswan"));
    command.arg(role).arg("--config").arg(config);
    command
}

fn distributor_config(here: &Path) -> String {
    format!(
        "listen = \"{DISTRIBUTOR}:{PORT}\"
store = \"{}\"
{}
[limits]
barrier_seconds = {BARRIER_SECONDS}
",
        here.join("fleet.redb").display(),
        tls(here, "distributor")
    )
}

fn edge_config(here: &Path, name: &str, n: usize) -> String {
    let addresses = ANYCAST.map(|address| format!("\"{address}\"")).join(", ");
    format!(
        "addresses = [{addresses}]
distributor = \"https://{DISTRIBUTOR}:{PORT}\"
forward = \"{}:4501\"
health = \"127.0.0.1:9101\"
fleet_key = \"{}\"
{}",
        management(n),
        here.join("pki/fleet.key").display(),
        tls(here, name)
    )
}

fn operator_config(here: &Path) -> String {
    format!(
        "distributor = \"https://{DISTRIBUTOR}:{PORT}\"
fleet_key = \"{}\"
{}",
        here.join("pki/fleet.key").display(),
        tls(here, "operator")
    )
}

fn tls(here: &Path, name: &str) -> String {
    let pki = here.join("pki");
    format!(
        "[tls]
ca = \"{}\"
certificate = \"{}\"
key = \"{}\"
",
        pki.join("ca.pem").display(),
        pki.join(format!("{name}.pem")).display(),
        pki.join(format!("{name}.key")).display()
    )
}
