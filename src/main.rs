//! `anyswan`: one IPsec tunnel to one anycast address, taken by every edge of a fleet.
//!
//! Read on in `cli/` for the commands, or in the crate `edge` for what happens to a customer's packets.

mod cli;
mod config;
mod log;
mod stop;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
