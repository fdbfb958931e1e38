//! What `distributor/benches/fanout.rs` measures.

use serde::{Deserialize, Serialize};

use super::spread::{Spread, by_case};

/// Many commits to some number of subscribers, in microseconds.
#[derive(Deserialize)]
pub(super) struct Sample {
    subscribers: u32,
    commit_p50_us: f64,
    commit_p99_us: f64,
    spread_p50_us: f64,
    spread_p99_us: f64,
    cpu_per_delivery_us: f64,
}

/// A number of subscribers. The ratios are to one subscriber in the same round.
#[derive(Serialize)]
pub(super) struct Row {
    subscribers: u32,
    /// From the call to its answer, the disk included.
    commit_p50_us: Spread,
    commit_p99_us: Spread,
    commit_p50_ratio: Spread,
    commit_p99_ratio: Spread,
    /// From the disk to the last subscriber's report.
    spread_p50_us: Spread,
    spread_p99_us: Spread,
    /// Of the distributor, for an IKE SA with its child SA to one subscriber.
    cpu_per_delivery_us: Spread,
    cpu_per_delivery_ratio: Spread,
}

pub(super) const HEADER: [&str; 9] = [
    "subscribers",
    "commit p50 ms",
    "x",
    "commit p99 ms",
    "x",
    "from disk p50 ms",
    "from disk p99 ms",
    "CPU us/delivery",
    "x",
];

pub(super) fn rows(samples: &[Sample]) -> Vec<Row> {
    let cases = by_case(samples, |sample| sample.subscribers);
    let Some((_, one)) = cases.first() else {
        return Vec::new();
    };
    let row = |(subscribers, rounds): &(u32, Vec<&Sample>)| {
        let spread = |figure: fn(&Sample) -> f64| Spread::of(rounds.iter().map(|sample| figure(sample)));
        let ratio = |figure: fn(&Sample) -> f64| {
            Spread::of(
                rounds
                    .iter()
                    .zip(one)
                    .map(|(sample, one)| figure(sample) / figure(one)),
            )
        };
        Row {
            subscribers: *subscribers,
            commit_p50_us: spread(|sample| sample.commit_p50_us),
            commit_p99_us: spread(|sample| sample.commit_p99_us),
            commit_p50_ratio: ratio(|sample| sample.commit_p50_us),
            commit_p99_ratio: ratio(|sample| sample.commit_p99_us),
            spread_p50_us: spread(|sample| sample.spread_p50_us),
            spread_p99_us: spread(|sample| sample.spread_p99_us),
            cpu_per_delivery_us: spread(|sample| sample.cpu_per_delivery_us),
            cpu_per_delivery_ratio: ratio(|sample| sample.cpu_per_delivery_us),
        }
    };
    cases.iter().map(row).collect()
}

impl Row {
    pub(super) fn cells(&self) -> [String; 9] {
        [
            self.subscribers.to_string(),
            milliseconds(self.commit_p50_us),
            format!("{:.1}", self.commit_p50_ratio.median),
            milliseconds(self.commit_p99_us),
            format!("{:.1}", self.commit_p99_ratio.median),
            milliseconds(self.spread_p50_us),
            milliseconds(self.spread_p99_us),
            format!("{:.1}", self.cpu_per_delivery_us),
            format!("{:.2}", self.cpu_per_delivery_ratio.median),
        ]
    }
}

fn milliseconds(Spread { median, min, max }: Spread) -> String {
    let spread = Spread {
        median: median / 1e3,
        min: min / 1e3,
        max: max / 1e3,
    };
    format!("{spread:.1}")
}
