//! What an edge counts and times, for Prometheus.
//!
//! Every counter is an atomic that exists from the start, so that the first increase shows as one; whoever counts takes no lock.

mod counters;
mod kinds;

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub(crate) use self::counters::Counters;
pub(crate) use self::kinds::{
    Commits, Counted, Datagrams, Forwarded, IkeEvents, KernelObjects, Notices, Sessions,
};

/// Seconds, from a tenth of a millisecond to half a minute: a change in the kernel at one end, a distributor that is away at the
/// other.
const BUCKETS: [f64; 16] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

/// Shared counters and histograms.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    datagrams: Counters<Datagrams>,
    forwarded: Counters<Forwarded>,
    ike_events: Counters<IkeEvents>,
    commits: Counters<Commits>,
    sessions: Counters<Sessions>,
    kernel_objects: Counters<KernelObjects>,
    notices: Counters<Notices>,
    handshake: Histogram,
    commit: Histogram,
    install: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            datagrams: Counters::default(),
            forwarded: Counters::default(),
            ike_events: Counters::default(),
            commits: Counters::default(),
            sessions: Counters::default(),
            kernel_objects: Counters::default(),
            notices: Counters::default(),
            handshake: Histogram::new(BUCKETS),
            commit: Histogram::new(BUCKETS),
            install: Histogram::new(BUCKETS),
        }
    }
}

impl Metrics {
    /// One more of this kind.
    pub(crate) fn count<K: Counted>(&self, kind: K) {
        self.add(kind, 1);
    }

    /// So many more of this kind.
    pub(crate) fn add<K: Counted>(&self, kind: K, number: u64) {
        K::counters(self).add(kind, number);
    }

    /// An IKE SA was established: from its IKE_AUTH request at the responder to the reply, barrier included.
    pub(crate) fn time_handshake(&self, took: Duration) {
        self.handshake.observe(took.as_secs_f64());
    }

    /// The distributor has taken a commit: from the first attempt to the end of its barrier.
    pub(crate) fn time_commit(&self, took: Duration) {
        self.commit.observe(took.as_secs_f64());
    }

    /// The kernel has what one revision or several have changed.
    pub(crate) fn time_install(&self, took: Duration) {
        self.install.observe(took.as_secs_f64());
    }

    /// Makes all of them part of what is exposed.
    pub(crate) fn register(&self, registry: &mut Registry) {
        self.datagrams.register(registry);
        self.forwarded.register(registry);
        self.ike_events.register(registry);
        self.commits.register(registry);
        self.sessions.register(registry);
        self.kernel_objects.register(registry);
        self.notices.register(registry);
        for (name, help, histogram) in [
            (
                "anyswan_handshake",
                "From an IKE_AUTH request to the reply that establishes an IKE SA, barrier included",
                &self.handshake,
            ),
            (
                "anyswan_commit",
                "From the first attempt of a commit to the end of its barrier",
                &self.commit,
            ),
            (
                "anyswan_install",
                "To apply what has changed in the records to the kernel",
                &self.install,
            ),
        ] {
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn exposed(metrics: &Metrics) -> String {
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn every_counter_exists_from_the_start() {
        let text = exposed(&Metrics::default());
        for line in [
            "# TYPE anyswan_datagrams counter",
            "anyswan_datagrams_total{kind=\"received\"} 0",
            "anyswan_forwarded_total{kind=\"dropped_not_authentic\"} 0",
            "anyswan_ike_events_total{kind=\"established\"} 0",
            "anyswan_commits_total{kind=\"refused\"} 0",
            "anyswan_sessions_total{kind=\"begun\"} 0",
            "anyswan_kernel_objects_total{kind=\"updated\"} 0",
            "anyswan_notices_total{kind=\"delivered\"} 0",
            "anyswan_handshake_seconds_count 0",
        ] {
            assert!(text.lines().any(|it| it == line), "{line:?} is not in\n{text}");
        }
    }

    #[test]
    fn what_is_counted_and_timed_by_any_clone_is_exposed() {
        let metrics = Metrics::default();
        metrics.count(IkeEvents::Established);
        metrics.clone().add(IkeEvents::DroppedMalformed, 3);
        metrics.count(Datagrams::Received);
        metrics.time_commit(Duration::from_millis(30));
        metrics.time_install(Duration::from_micros(200));
        let text = exposed(&metrics);
        for line in [
            "anyswan_ike_events_total{kind=\"established\"} 1",
            "anyswan_ike_events_total{kind=\"dropped_malformed\"} 3",
            "anyswan_datagrams_total{kind=\"received\"} 1",
            "anyswan_datagrams_total{kind=\"sent\"} 0",
            "anyswan_commit_seconds_bucket{le=\"0.025\"} 0",
            "anyswan_commit_seconds_bucket{le=\"0.05\"} 1",
            "anyswan_install_seconds_bucket{le=\"0.00025\"} 1",
        ] {
            assert!(text.lines().any(|it| it == line), "{line:?} is not in\n{text}");
        }
    }
}
