//! Tells the BGP speaker whether the network should deliver here, and Prometheus how it goes: HTTP on loopback.
//!
//! On 503 the speaker had better announce the address with a low preference than withdraw it: when the distributor is away
//! for longer than a lease, every edge answers 503, and all of them go on forwarding.

mod gauges;
mod health;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tracing::warn;

use self::gauges::Gauges;
use self::health::Unhealthy;
use crate::shared::Shared;

/// The text format of metrics (OpenMetrics 1.0).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What can be looked at from outside.
#[derive(Clone)]
pub(crate) struct Status {
    shared: Shared,
    registry: Arc<Registry>,
}

impl Status {
    pub(crate) fn new(shared: Shared) -> Self {
        let mut registry = Registry::default();
        shared.metrics.register(&mut registry);
        registry.register_collector(Box::new(Gauges(shared.clone())));
        Self {
            shared,
            registry: Arc::new(registry),
        }
    }

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

    fn metrics(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn check(shared: &Shared, now: Instant) -> Result<(), Unhealthy> {
    let installed = shared.installed.borrow();
    health::check(
        &shared.session.borrow(),
        installed.as_ref(),
        shared.is_draining(),
        now,
    )
}

async fn answer_health(State(status): State<Status>) -> impl IntoResponse {
    match check(&status.shared, Instant::now()) {
        Ok(()) => (StatusCode::OK, "healthy\n".to_owned()),
        Err(unhealthy) => (StatusCode::SERVICE_UNAVAILABLE, format!("{unhealthy}\n")),
    }
}

async fn answer_metrics(State(status): State<Status>) -> Response {
    match status.metrics() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[tokio::test]
    async fn an_edge_that_has_just_started_exposes_all_of_its_metrics() {
        let (shared, _writers) = Shared::new(Arc::new(fixtures::fleet_key()));
        let text = Status::new(shared).metrics().unwrap();
        for line in [
            "# HELP anyswan_healthy 1 when GET /health answers 200.",
            "# TYPE anyswan_healthy gauge",
            "anyswan_healthy 0.0",
            "anyswan_lease_seconds 0.0",
            "anyswan_failures 0.0",
            "anyswan_edges 0.0",
            "anyswan_sessions_total{kind=\"begun\"} 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|it| it == line), "{line:?} is not in\n{text}");
        }
    }
}
