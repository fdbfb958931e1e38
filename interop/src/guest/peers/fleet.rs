//! Our side: the fleet's certificates, a distributor, an edge on each host that the network has for one, and an operator.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::tunnel::Tunnel;
use crate::guest::host::namespace::Namespace;
use crate::guest::host::process;
use crate::guest::host::service::Service;
use crate::guest::network::{ANYCAST, DISTRIBUTOR, Network, management};
use crate::report::place;

/// For one command, or one start, in an emulated machine on a busy one.
const LIMIT: Duration = Duration::from_secs(120);

/// The distributor's port.
const PORT: u16 = 7400;

/// How long the distributor waits for slow edges. Emulated ones are slow, and a scenario that is about the deadline sets its own.
const BARRIER_SECONDS: u32 = 10;

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
        let words = tunnel.arguments()?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
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
