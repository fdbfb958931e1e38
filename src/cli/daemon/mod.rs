//! `anyswan edge` and `anyswan distributor`: the daemons.

#[cfg(feature = "distributor")]
mod distributor;
#[cfg(feature = "edge")]
mod edge;

use std::path::PathBuf;

use clap::Args;

use super::failure::{Failure, Kind};
use crate::log;

#[cfg(feature = "distributor")]
pub(super) use self::distributor::distributor;
#[cfg(feature = "edge")]
pub(super) use self::edge::edge;

/// What both daemons are told.
#[derive(Args, Debug)]
pub(super) struct DaemonArgs {
    /// The daemon's config file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// What to log: error, warn, info, debug or trace, also by module as in `warn,edge=debug`.
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = "info")]
    log: String,
}

fn start_log(args: &DaemonArgs) -> Result<(), Failure> {
    log::start(&args.log)
        .map_err(|error| Failure::new(Kind::Usage, format_args!("--log {}: {error}", args.log)))
}
