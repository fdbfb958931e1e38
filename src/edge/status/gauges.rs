//! What goes up and down: looked up when somebody asks.

use std::fmt;
use std::time::Instant;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::shared::Shared;

/// All gauges of an edge.
pub(super) struct Gauges(pub(super) Shared);

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gauges")
    }
}

/// A gauge's name, what it shows, and its value now.
type Gauge = (&'static str, &'static str, f64);

impl Gauges {
    fn values(&self, now: Instant) -> [Gauge; 7] {
        let healthy = super::check(&self.0, now).is_ok();
        let session = self.0.session.borrow();
        let lease = session.lease(now).map(|lease| lease.until - now);
        let behind = session
            .behind_since
            .map(|since| now.saturating_duration_since(since));
        let received = session.received.map_or(0, |position| position.revision);
        let (installed, failures) = match &*self.0.installed.borrow() {
            Some(installed) => (installed.position.revision, installed.failures.len()),
            None => (0, 0),
        };
        let edges = self.0.replica.read().senders();
        [
            (
                "anyswan_healthy",
                "1 when GET /health answers 200.",
                f64::from(u8::from(healthy)),
            ),
            (
                "anyswan_lease_seconds",
                "How long the lease runs on.",
                lease.unwrap_or_default().as_secs_f64(),
            ),
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
                behind.unwrap_or_default().as_secs_f64(),
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
        ]
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, value) in self.values(Instant::now()) {
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(encoder)?;
        }
        Ok(())
    }
}
