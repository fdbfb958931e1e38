//! What is counted, and how it reads for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// A family of counters, told apart by the label `kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// UDP datagrams from and to customers.
    Datagrams,
    /// Datagrams between edges.
    Forward,
    /// What the responder says of peers.
    Ike,
    /// Changes brought to the fleet.
    Commits,
    /// Sessions with the distributor.
    Sessions,
    /// Objects in the kernel.
    Kernel,
    /// What the kernel said of SAs.
    Notices,
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Self::Datagrams => "anyswan_datagrams_total",
            Self::Forward => "anyswan_forwarded_total",
            Self::Ike => "anyswan_ike_events_total",
            Self::Commits => "anyswan_commits_total",
            Self::Sessions => "anyswan_sessions_total",
            Self::Kernel => "anyswan_kernel_objects_total",
            Self::Notices => "anyswan_notices_total",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Datagrams => "UDP datagrams on the anycast addresses, by what became of them.",
            Self::Forward => "IKE messages passed between edges, by what became of them.",
            Self::Ike => "What happened in IKE, by kind.",
            Self::Commits => "Changes brought to the distributor, by outcome.",
            Self::Sessions => "Sessions with the distributor.",
            Self::Notices => "SAs that began to be used or near a limit, by who was told.",
            Self::Kernel => "Interfaces, routes, SAs and policies that a reconciliation changed.",
        }
    }
}

/// Shared counters.
#[derive(Clone, Default)]
pub(crate) struct Metrics(Arc<Mutex<BTreeMap<(Family, &'static str), u64>>>);

impl Metrics {
    pub(crate) fn count(&self, family: Family, kind: &'static str) {
        self.add(family, kind, 1);
    }

    pub(crate) fn add(&self, family: Family, kind: &'static str, number: u64) {
        *self.counters().entry((family, kind)).or_default() += number;
    }

    /// All of them in Prometheus's text format.
    pub(crate) fn render(&self, text: &mut String) {
        let mut last = None;
        for ((family, kind), number) in self.counters().iter() {
            let name = family.name();
            if last != Some(*family) {
                last = Some(*family);
                head(text, name, "counter", family.help());
            }
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name}{{kind=\"{kind}\"}} {number}");
        }
    }

    fn counters(&self) -> std::sync::MutexGuard<'_, BTreeMap<(Family, &'static str), u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One value that goes up and down.
pub(crate) fn gauge(text: &mut String, name: &str, help: &str, value: f64) {
    head(text, name, "gauge", help);
    let _ = writeln!(text, "{name} {value}");
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_each_family_once_with_its_kinds() {
        let metrics = Metrics::default();
        metrics.count(Family::Ike, "established");
        metrics.add(Family::Ike, "malformed", 3);
        metrics.clone().count(Family::Datagrams, "received");
        let mut text = String::new();
        metrics.render(&mut text);
        gauge(&mut text, "anyswan_up", "One.", 1.0);
        assert_eq!(
            text,
            "# HELP anyswan_datagrams_total UDP datagrams on the anycast addresses, by what became of them.\n\
             # TYPE anyswan_datagrams_total counter\n\
             anyswan_datagrams_total{kind=\"received\"} 1\n\
             # HELP anyswan_ike_events_total What happened in IKE, by kind.\n\
             # TYPE anyswan_ike_events_total counter\n\
             anyswan_ike_events_total{kind=\"established\"} 1\n\
             anyswan_ike_events_total{kind=\"malformed\"} 3\n\
             # HELP anyswan_up One.\n\
             # TYPE anyswan_up gauge\n\
             anyswan_up 1\n"
        );
    }
}
