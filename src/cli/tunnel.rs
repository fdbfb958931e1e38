//! `anyswan tunnel`: the customers' tunnels.

mod add;
mod certificates;
mod credentials;
mod key_file;
mod list;
mod ppk;
mod redirect;

use std::net::IpAddr;

use clap::Subcommand;
use proto::{Name, Ppk, Tunnel, TunnelSelector, v1};
use serde::Serialize;

use super::failure::{Failure, Kind};
use super::operator::{self, Client, OperatorArgs};
use super::output;
use super::progress::{self, Progress};
use super::sa::{self, Revoked};

/// `anyswan tunnel ...`
#[derive(Debug, Subcommand)]
pub(super) enum TunnelCommand {
    /// Let a customer set up a tunnel.
    Add(Box<add::AddArgs>),
    /// Show all tunnels. The table leaves out columns that no tunnel needs; `--json` has everything.
    List {
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Send a customer to another gateway, in its session and whenever it connects, if its router follows redirects (RFC 5685).
    Redirect(redirect::RedirectArgs),
    /// End a tunnel: its SAs are gone on every edge, and the customer cannot come back.
    Remove {
        /// The tunnel's name.
        name: Name,
        #[command(flatten)]
        operator: OperatorArgs,
    },
}

pub(super) fn run(command: TunnelCommand) -> Result<(), Failure> {
    match command {
        TunnelCommand::Add(args) => add::run(*args),
        TunnelCommand::List { operator } => list::run(&operator),
        TunnelCommand::Redirect(args) => redirect::run(&args),
        TunnelCommand::Remove { name, operator } => remove(&name, &operator),
    }
}

/// A tunnel, as `--json` shows it. Its credentials stay sealed.
#[derive(Debug, Serialize)]
struct TunnelView {
    name: String,
    id: u16,
    remote_id: String,
    /// `null`: the anycast address that the customer reached.
    local_id: Option<String>,
    /// `psk` or `certificate`.
    auth: String,
    /// `null`: it has none.
    ppk: Option<PpkView>,
    local_ts: Vec<String>,
    remote_ts: Vec<String>,
    esp: Vec<String>,
    interface: String,
    netns: Option<String>,
    mtu: Option<u32>,
    addresses: Vec<IpAddr>,
    /// Where the customer is sent.
    redirect: Option<String>,
    rekey_bytes: Option<u64>,
}

/// A post-quantum pre-shared key. The key itself stays sealed.
#[derive(Debug, Serialize)]
struct PpkView {
    id: String,
    required: bool,
}

impl From<&Ppk> for PpkView {
    fn from(ppk: &Ppk) -> Self {
        Self {
            id: ppk.id.to_string(),
            required: ppk.required,
        }
    }
}

impl From<&Tunnel> for TunnelView {
    fn from(tunnel: &Tunnel) -> Self {
        let texts = |items: &[TunnelSelector]| items.iter().map(ToString::to_string).collect();
        Self {
            name: tunnel.name.to_string(),
            id: tunnel.id.get(),
            remote_id: tunnel.remote_id.to_string(),
            local_id: tunnel.local_id.as_ref().map(ToString::to_string),
            auth: tunnel.auth.to_string(),
            ppk: tunnel.ppk.as_ref().map(PpkView::from),
            local_ts: texts(&tunnel.local_ts),
            remote_ts: texts(&tunnel.remote_ts),
            esp: tunnel.esp.iter().map(ToString::to_string).collect(),
            interface: tunnel.interface.to_string(),
            netns: tunnel.netns.as_ref().map(ToString::to_string),
            mtu: tunnel.mtu,
            addresses: tunnel.addresses.clone(),
            redirect: tunnel.redirect.as_ref().map(ToString::to_string),
            rekey_bytes: tunnel.rekey_bytes,
        }
    }
}

/// What was done, as `--json` shows it.
#[derive(Debug, Serialize)]
struct Taken {
    revision: u64,
    tunnel: TunnelView,
    edges: Vec<Progress>,
}

impl Taken {
    fn new(tunnel: TunnelView, response: v1::PutTunnelResponse) -> Self {
        Self {
            revision: response.revision,
            tunnel,
            edges: response.edges.into_iter().map(Progress::from).collect(),
        }
    }

    /// Shows it, for people in the words "`done` taken by 2 of 3 edges". Fails when an edge has not taken it.
    fn show(&self, done: &str, json: bool) -> Result<(), Failure> {
        if json {
            output::json(self)?;
        } else {
            progress::print(&format!("{done} taken by"), &self.edges)?;
        }
        progress::check(&self.edges)
    }
}

/// Every tunnel of the fleet.
async fn all(client: &mut Client) -> Result<Vec<Tunnel>, Failure> {
    let mut stream = client.list_tunnels(v1::ListTunnelsRequest {}).await?.into_inner();
    let mut tunnels = Vec::new();
    while let Some(wire) = stream.message().await? {
        tunnels.push(Tunnel::try_from(wire).map_err(|error| Failure::new(Kind::Failed, error))?);
    }
    Ok(tunnels)
}

fn remove(name: &Name, args: &OperatorArgs) -> Result<(), Failure> {
    let request = v1::RemoveTunnelRequest {
        name: name.to_string(),
    };
    let response = operator::call(&args.load()?, async |mut client| {
        Ok(client.remove_tunnel(request).await?.into_inner())
    })?;
    sa::show_revoked(
        &format!("tunnel {name} removed"),
        &Revoked::from(response),
        args.json,
    )
}
