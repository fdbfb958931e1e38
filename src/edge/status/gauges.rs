//! What goes up and down: looked up when somebody asks.

use std::fmt;
use std::time::Instant;

use distributor_client::state::AppliedReport;
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
        // One at a time: the session's task writes how the session stands while it looks at what is installed.
        let session = self.0.session.borrow().clone();
        let lease = session.lease(now).map(|lease| lease.until - now);
        let behind = session
            .behind_since
            .map(|since| now.saturating_duration_since(since));
        let received = session.received.map_or(0, |position| position.revision);
        let count = |report: &AppliedReport| (report.position.revision, report.failures.len());
        let (installed, failures) = self.0.installed.borrow().as_ref().map_or((0, 0), count);
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::fixtures;

    /// For what has to happen soon; a machine under load takes its time.
    const LIMIT: Duration = Duration::from_secs(60);

    /// As the session's task does while a report is on its way: it has looked at what is installed, the kernel's thread waits to
    /// write that, and the state of the session is written.
    #[test]
    fn a_scrape_holds_up_neither_the_session_nor_the_kernel() {
        let (shared, writers) = Shared::new(Arc::new(fixtures::fleet_key()));
        let (done, is_done) = mpsc::channel();
        let gauges = Gauges(shared.clone());
        thread::spawn(move || {
            let installed = shared.installed.borrow();
            let (stop, stopped) = mpsc::channel::<()>();
            let kernel = thread::spawn(move || writers.installed.send_replace(None));
            let scrapes = thread::spawn(move || {
                while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
                    gauges.values(Instant::now());
                }
            });
            for _ in 0..10_000 {
                writers.session.send_modify(|_| {});
                thread::yield_now();
            }
            drop((installed, stop));
            kernel.join().unwrap();
            scrapes.join().unwrap();
            done.send(()).unwrap();
        });
        is_done.recv_timeout(LIMIT).expect("each waits for another");
    }
}
