//! Tells the BGP speaker whether the network should deliver here, and Prometheus how it goes: HTTP on loopback.
//!
//! On 503 the speaker had better announce the address with a low preference than withdraw it: when the distributor is away
//! for longer than a lease, every edge answers 503, and all of them go on forwarding.

use std::fmt;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use distributor_client::state::{AppliedReport, SessionState, SharedReplica};
use proto::Failure;
use rustix::io::Errno;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::warn;

use super::metrics::{Metrics, gauge};

/// How long the kernel may take for what has arrived. The fleet waits as long before it calls an edge lagging.
const LAG: Duration = Duration::from_secs(1);

/// What can be looked at from outside.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) session: watch::Receiver<SessionState>,
    pub(crate) installed: watch::Receiver<Option<AppliedReport>>,
    pub(crate) draining: watch::Receiver<bool>,
    pub(crate) replica: SharedReplica,
    pub(crate) metrics: Metrics,
}

/// Why the network should not deliver here. As text: the whole answer to `GET /health`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    Draining,
    NoLease,
    NotSynced,
    NotInstalled,
    Unable,
    Lagging(Duration),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draining => f.write_str("this edge is about to stop"),
            Self::NoLease => f.write_str("no lease: the distributor does not answer"),
            Self::NotSynced => f.write_str("not synced: the distributor's first snapshot is not complete"),
            Self::NotInstalled => {
                f.write_str("not installed: the kernel has not taken up the first snapshot")
            }
            Self::Unable => f.write_str(
                "unable: the kernel lacks a module for IPsec; `anyswan fleet status` and the log name it",
            ),
            Self::Lagging(since) => {
                write!(
                    f,
                    "lagging: the kernel has been behind for {:.1} s",
                    since.as_secs_f64()
                )
            }
        }
    }
}

impl Health {
    /// Answers for ever.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let router = Router::new()
            .route("/health", get(answer_health))
            .route("/metrics", get(answer_metrics))
            .with_state(self);
        if let Err(error) = axum::serve(listener, router).await {
            warn!(%error, "GET /health is not answered any more");
        }
    }

    fn check(&self, now: Instant) -> Result<(), Unfit> {
        let installed = self.installed.borrow();
        check(
            &self.session.borrow(),
            installed.as_ref(),
            *self.draining.borrow(),
            now,
        )
    }

    fn render(&self, now: Instant) -> String {
        let mut text = String::new();
        self.metrics.render(&mut text);
        let session = self.session.borrow().clone();
        let lease = session
            .lease(now)
            .map_or(0.0, |lease| (lease.until - now).as_secs_f64());
        let behind = session
            .behind_since
            .map_or(0.0, |since| now.saturating_duration_since(since).as_secs_f64());
        let received = session.received.map_or(0, |position| position.revision);
        let (installed, failures) = match &*self.installed.borrow() {
            Some(installed) => (installed.position.revision, installed.failures.len()),
            None => (0, 0),
        };
        let fit = if self.check(now).is_ok() { 1.0 } else { 0.0 };
        let edges = self.replica.read().senders();
        for (name, help, value) in [
            ("anyswan_healthy", "1 when GET /health answers 200.", fit),
            ("anyswan_lease_seconds", "How long the lease runs on.", lease),
            (
                "anyswan_received_revision",
                "Up to where the records are here.",
                received as f64,
            ),
            (
                "anyswan_installed_revision",
                "Up to where the records are in the kernel.",
                installed as f64,
            ),
            (
                "anyswan_behind_seconds",
                "How long the kernel has been behind the records.",
                behind,
            ),
            (
                "anyswan_failures",
                "Records that cannot be installed.",
                failures as f64,
            ),
            (
                "anyswan_edges",
                "Edges that share the outbound keys.",
                edges as f64,
            ),
        ] {
            gauge(&mut text, name, help, value);
        }
        text
    }
}

/// An edge is fit when it knows what the fleet knows, has it in its kernel, and would hear of a change.
fn check(
    session: &SessionState,
    installed: Option<&AppliedReport>,
    is_draining: bool,
    now: Instant,
) -> Result<(), Unfit> {
    if is_draining {
        return Err(Unfit::Draining);
    }
    if session.lease(now).is_none() {
        return Err(Unfit::NoLease);
    }
    if session.received.is_none() {
        return Err(Unfit::NotSynced);
    }
    let installed = installed.ok_or(Unfit::NotInstalled)?;
    if installed.failures.iter().any(is_for_lack_of_a_module) {
        return Err(Unfit::Unable);
    }
    let behind = session
        .behind_since
        .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
    if behind > LAG {
        return Err(Unfit::Lagging(behind));
    }
    Ok(())
}

/// Of xfrm interfaces or of ESP, which all tunnels need; ciphers and what an operator gets wrong concern some.
fn is_for_lack_of_a_module(failure: &Failure) -> bool {
    [Errno::OPNOTSUPP, Errno::PROTONOSUPPORT]
        .map(Errno::raw_os_error)
        .contains(&failure.errno)
}

async fn answer_health(State(health): State<Health>) -> impl IntoResponse {
    match health.check(Instant::now()) {
        Ok(()) => (StatusCode::OK, "healthy\n".to_owned()),
        Err(unfit) => (StatusCode::SERVICE_UNAVAILABLE, format!("{unfit}\n")),
    }
}

async fn answer_metrics(State(health): State<Health>) -> impl IntoResponse {
    let text = health.render(Instant::now());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}

#[cfg(test)]
mod tests {
    use proto::{Key, Resume, Slot};

    use super::*;
    use distributor_client::lease::LeaseGrant;

    #[test]
    fn each_thing_that_is_missing_is_named() {
        let start = Instant::now();
        let position = Resume {
            store: 1,
            revision: 1,
        };
        // With something that the kernel refused so.
        let installed = |errno| AppliedReport {
            position,
            began: start,
            failures: vec![Failure {
                key: Key::Edge(Slot::new(1).unwrap()),
                errno,
                reason: String::new(),
            }],
        };
        let at = |ms| start + Duration::from_millis(ms);
        let mut session = SessionState::default();
        assert_eq!(check(&session, None, false, at(0)), Err(Unfit::NoLease));

        session.grant = Some(LeaseGrant {
            slot: Slot::new(1).unwrap(),
            incarnation: 1,
            store: 1,
            until: at(15_000),
        });
        assert_eq!(check(&session, None, false, at(0)), Err(Unfit::NotSynced));
        session.note_received(position, at(10));
        assert_eq!(check(&session, None, false, at(10)), Err(Unfit::NotInstalled));
        assert_eq!(check(&session, Some(&installed(0)), false, at(1010)), Ok(()));
        for (errno, expected) in [
            (Errno::OPNOTSUPP, Err(Unfit::Unable)),
            (Errno::PROTONOSUPPORT, Err(Unfit::Unable)),
            (Errno::EXIST, Ok(())),
        ] {
            let installed = installed(errno.raw_os_error());
            assert_eq!(check(&session, Some(&installed), false, at(1010)), expected);
        }
        let behind = Duration::from_millis(1500);
        assert_eq!(
            check(&session, Some(&installed(0)), false, at(1510)),
            Err(Unfit::Lagging(behind))
        );
        assert_eq!(
            check(&session, Some(&installed(0)), true, at(10)),
            Err(Unfit::Draining)
        );
        assert_eq!(
            check(&session, Some(&installed(0)), false, at(15_000)),
            Err(Unfit::NoLease)
        );
    }
}
