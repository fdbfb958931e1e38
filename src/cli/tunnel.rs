//! `anyswan tunnel`: the customers' tunnels.

mod add;
mod certificates;
mod credentials;
mod key_file;
mod list;
mod ppk;
mod redirect;

use clap::Subcommand;
use proto::{Name, Tunnel, v1};
use views::{RevokedView, TunnelChangeView};

use super::failure::{Failure, Kind};
use super::operator::{self, Client, OperatorArgs};
use super::output;
use super::{progress, sa};

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

/// Shows it, for people in the words "`done` taken by 2 of 3 edges". Fails when an edge has not taken it.
fn show(change: &TunnelChangeView, done: &str, json: bool) -> Result<(), Failure> {
    if json {
        output::json(change)?;
    } else {
        progress::print(&format!("{done} taken by"), &change.edges)?;
    }
    progress::check(&change.edges)
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
        &RevokedView::from(response),
        args.json,
    )
}
