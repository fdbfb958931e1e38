//! What `ike/benches/handshake` measures.

use serde::{Deserialize, Serialize};

use super::spread::{Spread, by_case};

/// A batch of handshakes, and as often their cryptography alone: microseconds of CPU time each.
#[derive(Deserialize)]
pub(super) struct Sample {
    group: String,
    responder_us: f64,
    bare_us: f64,
}

/// A key exchange group.
#[derive(Serialize)]
pub(super) struct Row {
    group: String,
    handshakes_per_cpu_second: Spread,
    responder_us: Spread,
    bare_us: Spread,
    /// The share of the responder's time that the bare cryptography needs: 1 is the most there can be.
    ratio: Spread,
}

pub(super) const HEADER: [&str; 5] = [
    "key exchange",
    "handshakes/CPU s",
    "us each",
    "bare us",
    "bare/responder",
];

pub(super) fn rows(samples: &[Sample]) -> Vec<Row> {
    let groups = by_case(samples, |sample| sample.group.clone()).into_iter();
    let rows = groups.map(|(group, rounds)| {
        let spread = |figure: fn(&Sample) -> f64| Spread::of(rounds.iter().map(|sample| figure(sample)));
        Row {
            group,
            handshakes_per_cpu_second: spread(|sample| 1e6 / sample.responder_us),
            responder_us: spread(|sample| sample.responder_us),
            bare_us: spread(|sample| sample.bare_us),
            ratio: spread(|sample| sample.bare_us / sample.responder_us),
        }
    });
    rows.collect()
}

impl Row {
    pub(super) fn cells(&self) -> [String; 5] {
        [
            self.group.clone(),
            format!("{:.0}", self.handshakes_per_cpu_second),
            format!("{:.1}", self.responder_us),
            format!("{:.1}", self.bare_us),
            self.ratio.to_string(),
        ]
    }
}
