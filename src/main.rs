//! `anyswan`: one IPsec tunnel to one anycast address, taken by every edge of a fleet.
//!
//! Read on in `cli/` for the commands, or in the crate `edge` for what happens to a customer's packets.

#![forbid(unsafe_code)]
#![warn(
    clippy::iter_over_hash_type,
    clippy::unwrap_in_result,
    clippy::wildcard_enum_match_arm
)]

mod cli;
mod config;
#[cfg(feature = "daemon")]
mod log;
#[cfg(feature = "daemon")]
mod stop;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
