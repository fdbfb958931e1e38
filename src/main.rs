//! `anyswan`: one IPsec tunnel to one anycast address, taken by every edge of a fleet.
//!
//! Read on in `cli/` for the commands, or in `edge/` for what happens to a customer's packets.

mod channel;
mod cli;
mod config;
mod edge;
mod files;
mod fleet_key;
mod identity;
mod log;
mod pki;
mod seal;
mod stop;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
