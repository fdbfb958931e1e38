//! `anyswan distributor`.

use ::distributor::{ServeError, Server};
use sd_notify::NotifyState;
use tokio::runtime::Runtime;

use super::{DaemonArgs, start_log};
use crate::cli::failure::{Failure, Kind};
use crate::config::{self, DistributorConfig};
use crate::stop::Stop;

/// Runs the distributor until SIGTERM.
pub(in crate::cli) fn distributor(args: &DaemonArgs) -> Result<(), Failure> {
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

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let kind = match &error {
            ServeError::Tls(_) => Kind::Usage,
            // To start again would not help.
            ServeError::Store(error) if error.is_lasting() => Kind::Usage,
            ServeError::Store(_)
            | ServeError::Listen { .. }
            | ServeError::Thread(_)
            | ServeError::ThreadEnded
            | ServeError::Transport(_)
            | _ => Kind::Failed,
        };
        Self::new(kind, error)
    }
}
