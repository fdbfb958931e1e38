//! `anyswan edge` and `anyswan distributor`: the daemons.

use std::path::PathBuf;

use clap::Args;
use distributor::{ServeError, Server};
use distributor_client::connect::{self, Holder};
use sd_notify::NotifyState;
use tokio::runtime::Runtime;

use super::failure::{Failure, Kind};
use crate::config::{self, DistributorConfig, EdgeConfig};
use crate::log;
use crate::stop::Stop;

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

/// Runs the edge daemon until SIGTERM.
pub(super) fn edge(args: &DaemonArgs) -> Result<(), Failure> {
    let config: EdgeConfig = config::load(&args.config)?;
    connect::check(&config.distributor, &config.tls, Holder::Edge)?; // Later it would only be one more reason to try again.
    start_log(args)?;
    Runtime::new()?.block_on(async {
        let mut stop = Stop::new()?;
        Ok(edge::run(config.into(), async move { stop.wait().await }).await?)
    })
}

/// Runs the distributor until SIGTERM.
pub(super) fn distributor(args: &DaemonArgs) -> Result<(), Failure> {
    let config: DistributorConfig = config::load(&args.config)?;
    files::open_secret(&config.tls.key)?;
    start_log(args)?;
    Runtime::new()?.block_on(async {
        let mut stop = Stop::new()?;
        let server = Server::bind(config.into()).await?;
        // Connections are queued from here on. Without a service manager there is nobody to tell.
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        server.run(async move { stop.wait().await }).await?;
        Ok(())
    })
}

fn start_log(args: &DaemonArgs) -> Result<(), Failure> {
    log::start(&args.log)
        .map_err(|error| Failure::new(Kind::Usage, format_args!("--log {}: {error}", args.log)))
}

impl From<edge::Error> for Failure {
    fn from(error: edge::Error) -> Self {
        let kind = if matches!(error, edge::Error::FleetKey(_)) {
            Kind::Usage
        } else {
            Kind::Failed
        };
        Self::new(kind, error)
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let kind = match &error {
            ServeError::Tls(_) => Kind::Usage,
            // To start again would not help.
            ServeError::Store(error) if error.is_lasting() => Kind::Usage,
            _ => Kind::Failed,
        };
        Self::new(kind, error)
    }
}
