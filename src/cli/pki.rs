//! `anyswan pki`: the fleet's own certificates and key.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use distributor_client::Role;
use pki::Address;
use proto::Name;

use super::failure::Failure;
use super::output;

/// `anyswan pki ...`
#[derive(Debug, Subcommand)]
pub(super) enum PkiCommand {
    /// Make the fleet's authority (ca.pem, ca.key) and the key that all its edges share (fleet.key).
    Init {
        /// Where the files go; made when missing. Keep ca.key away from every server.
        #[arg(long)]
        dir: PathBuf,
        /// A name for people, in the authority's certificate.
        #[arg(long, value_name = "NAME", default_value = "fleet")]
        fleet: Name,
    },
    /// Make a certificate and its key (NAME.pem, NAME.key).
    Issue {
        /// What `anyswan pki init` made.
        #[arg(long, global = true, default_value = ".")]
        dir: PathBuf,
        /// Where the files go, if not there; made when missing.
        #[arg(long, global = true)]
        out: Option<PathBuf>,
        #[command(subcommand)]
        holder: Holder,
    },
}

/// Whom a certificate is for.
#[derive(Debug, Subcommand)]
pub(super) enum Holder {
    /// A server that announces the anycast address.
    Edge(Named),
    /// A person or program that may change tunnels and revoke SAs.
    Operator(Named),
    /// The server that edges and operators connect to.
    Distributor {
        #[command(flatten)]
        named: Named,
        /// An IP address or host name that edges and operators reach it at; may be repeated.
        #[arg(long = "address", value_name = "ADDR", num_args = 1.., required = true)]
        addresses: Vec<Address>,
    },
}

/// The holder's name.
#[derive(Args, Debug)]
pub(super) struct Named {
    /// Unique among its kind.
    name: Name,
}

pub(super) fn run(command: PkiCommand) -> Result<(), Failure> {
    let files = match command {
        PkiCommand::Init { dir, fleet } => pki::init(&dir, &fleet)?,
        PkiCommand::Issue { dir, out, holder } => {
            let (role, addresses) = match holder {
                Holder::Edge(Named { name }) => (Role::Edge(name), Vec::new()),
                Holder::Operator(Named { name }) => (Role::Operator(name), Vec::new()),
                Holder::Distributor {
                    named: Named { name },
                    addresses,
                } => (Role::Distributor(name), addresses),
            };
            pki::issue(&dir, out.as_deref().unwrap_or(&dir), &role, &addresses)?
        }
    };
    files.iter().try_for_each(|file| output::text(file.display()))
}
