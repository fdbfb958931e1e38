//! `anyswan`: one IPsec tunnel to one anycast address, taken by every edge of a fleet.
//!
//! Read on in `cli/` for the commands, or in `edge/` for what happens to a customer's packets.

mod cli;
mod config;
mod edge;
mod fleet_key;
mod log;
mod pki;
mod seal;
mod stop;

use std::process::ExitCode;

use distributor_client::files;

fn main() -> ExitCode {
    cli::run()
}
