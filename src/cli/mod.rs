//! The command line: what can be said, and who does it.

#[cfg(feature = "daemon")]
mod daemon;
mod failure;
mod fleet;
mod operator;
mod output;
mod pki;
mod progress;
mod sa;
mod tunnel;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use self::failure::Failure;

/// One IPsec tunnel to one anycast address, taken by every edge of a fleet.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = failure::EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an edge: take customers' tunnels, and keep every tunnel of the fleet in this machine's kernel.
    #[cfg(feature = "edge")]
    Edge(daemon::DaemonArgs),
    /// Run the distributor: order, store and stream what edges and operators publish.
    #[cfg(feature = "distributor")]
    Distributor(daemon::DaemonArgs),
    /// The customers' tunnels.
    #[command(subcommand)]
    Tunnel(tunnel::TunnelCommand),
    /// Security associations: IKE SAs and their child SAs.
    #[command(subcommand)]
    Sa(sa::SaCommand),
    /// The edges.
    #[command(subcommand)]
    Fleet(fleet::FleetCommand),
    /// The fleet's own certificates and key.
    #[command(subcommand)]
    Pki(pki::PkiCommand),
}

/// Does what the command line says; its end is the process's exit code.
pub(crate) fn run() -> ExitCode {
    if let Err(error) = forbid_core_dumps() {
        return Failure::from(error).report();
    }
    let ended = match Cli::parse().command {
        #[cfg(feature = "edge")]
        Command::Edge(args) => daemon::edge(&args),
        #[cfg(feature = "distributor")]
        Command::Distributor(args) => daemon::distributor(&args),
        Command::Tunnel(command) => tunnel::run(command),
        Command::Sa(command) => sa::run(command),
        Command::Fleet(command) => fleet::run(command),
        Command::Pki(command) => pki::run(command),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Nearly every command has keys in its memory at some time: no core dump, and no look inside by other processes.
fn forbid_core_dumps() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
