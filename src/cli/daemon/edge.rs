//! `anyswan edge`.

use distributor_client::connect::{self, Holder};
use tokio::runtime::Runtime;

use super::{DaemonArgs, start_log};
use crate::cli::failure::{Failure, Kind};
use crate::config::{self, EdgeConfig};
use crate::stop::Stop;

/// Runs the edge daemon until SIGTERM.
pub(in crate::cli) fn edge(args: &DaemonArgs) -> Result<(), Failure> {
    let config: EdgeConfig = config::load(&args.config)?;
    connect::check(&config.distributor, &config.tls, Holder::Edge)?; // Later it would only be one more reason to try again.
    start_log(args)?;
    Runtime::new()?.block_on(async {
        let mut stop = Stop::new()?;
        Ok(::edge::run(config.into(), async move { stop.wait().await }).await?)
    })
}

impl From<::edge::Error> for Failure {
    fn from(error: ::edge::Error) -> Self {
        let kind = if matches!(error, ::edge::Error::FleetKey(_)) {
            Kind::Usage
        } else {
            Kind::Failed
        };
        Self::new(kind, error)
    }
}
