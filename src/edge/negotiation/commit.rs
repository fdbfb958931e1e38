//! Makes a change true in the whole fleet, however long the distributor is away.

use std::time::{Duration, Instant};

use distributor_client::backoff::Backoff;
use distributor_client::lease::LeaseGrant;
use distributor_client::state::SessionState;
use proto::v1;
use tokio::sync::watch;
use tonic::Code;

use crate::metrics::{Commits, Metrics};

/// For an answer to a commit: far beyond any barrier.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a change does not become true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// For the log, which has a line a minute for each.
    pub(crate) kind: &'static str,
    /// Who or what is wrong.
    pub(crate) reason: String,
}

/// Sends the commits of one lease grant.
#[derive(Clone)]
pub(crate) struct Committer {
    pub(crate) session: watch::Receiver<SessionState>,
    pub(crate) grant: LeaseGrant,
    pub(crate) metrics: Metrics,
}

impl Committer {
    /// Returns when the fleet has taken the commit or refused it; `None` when it is no longer this process's to make.
    /// Every attempt sends the same octets, so that one which was carried out without our hearing of it does no harm
    /// when it comes again.
    pub(crate) async fn commit(mut self, request: v1::CommitRequest) -> Option<Result<(), Refused>> {
        let mut backoff = Backoff::default();
        let begun = Instant::now();
        loop {
            let mut client = self.client().await?;
            let mut attempt = tonic::Request::new(request.clone());
            attempt.set_timeout(ANSWER_TIMEOUT);
            let status = match client.commit(attempt).await {
                Ok(_) => {
                    self.metrics.count(Commits::Done);
                    self.metrics.time_commit(begun.elapsed());
                    return Some(Ok(()));
                }
                Err(status) => status,
            };
            if is_final(status.code()) {
                self.metrics.count(Commits::Refused);
                return Some(Err(Refused {
                    kind: status.code().description(),
                    reason: status.message().to_owned(),
                }));
            }
            self.metrics.count(Commits::Retried);
            tokio::time::sleep(backoff.next_pause()).await;
        }
    }

    /// Waits for a session under the same lease.
    async fn client(&mut self) -> Option<v1::fleet_client::FleetClient<tonic::transport::Channel>> {
        let grant = self.grant;
        let ready = |state: &SessionState| {
            let replaced = state.grant.is_some_and(|current| !current.is_same(&grant));
            replaced || (state.client.is_some() && state.lease(Instant::now()).is_some())
        };
        let state = self.session.wait_for(ready).await.ok()?;
        let ours = state.grant.is_some_and(|current| current.is_same(&grant));
        state.client.clone().filter(|_| ours)
    }
}

/// What the schema calls final. A precondition that fails is the lease, which a restarted distributor gives again.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::PermissionDenied
            | Code::AlreadyExists
            | Code::NotFound
            | Code::Unimplemented
            | Code::Unauthenticated
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the distributor answers while its store is full, while it restarts, while the lease is not given yet, and when two
    /// changes meet.
    #[test]
    fn what_passes_is_tried_again_and_what_is_wrong_is_not() {
        for passing in [
            Code::ResourceExhausted,
            Code::Unavailable,
            Code::FailedPrecondition,
            Code::Aborted,
            Code::DeadlineExceeded,
        ] {
            assert!(!is_final(passing), "{passing:?}");
        }
        for wrong in [
            Code::InvalidArgument,
            Code::PermissionDenied,
            Code::AlreadyExists,
            Code::NotFound,
        ] {
            assert!(is_final(wrong), "{wrong:?}");
        }
    }
}
