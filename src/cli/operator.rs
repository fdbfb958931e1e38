//! What all operator commands share: the config file, the connection, the wait for an answer.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use distributor_client::connect::{self, Holder};
use proto::v1::operator_client::OperatorClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::failure::Failure;
use crate::config::{self, OperatorConfig};

/// Far above what a barrier takes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How the distributor is reached, and how its answer is shown.
#[derive(Args, Debug)]
pub(super) struct OperatorArgs {
    /// Where the distributor is, and this operator's certificate.
    #[arg(
        long,
        env = "ANYSWAN_CONFIG",
        default_value = "/etc/anyswan/operator.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
    /// Print JSON for programs instead of text for people.
    #[arg(long)]
    pub(super) json: bool,
}

/// The distributor's operator service, every call with a deadline.
pub(super) type Client =
    OperatorClient<InterceptedService<Channel, fn(Request<()>) -> Result<Request<()>, Status>>>;

impl OperatorArgs {
    /// Reads the config file.
    pub(super) fn load(&self) -> Result<OperatorConfig, Failure> {
        Ok(config::load(&self.config)?)
    }
}

/// Connects to the distributor, and runs a command's calls to their end.
pub(super) fn call<T>(
    config: &OperatorConfig,
    calls: impl AsyncFnOnce(Client) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let channel = connect::connect(&config.distributor, &config.tls, Holder::Operator).await?;
        calls(OperatorClient::with_interceptor(channel, with_deadline)).await
    })
}

fn with_deadline(mut request: Request<()>) -> Result<Request<()>, Status> {
    request.set_timeout(ANSWER_TIMEOUT);
    Ok(request)
}
