//! What `ike/benches/handshake` measures.

use serde::{Deserialize, Serialize};

use super::spread::{Mark, Spread, by_case};

/// A batch of handshakes, and as often their cryptography alone: microseconds of CPU time each.
#[derive(Deserialize)]
pub(super) struct Sample {
    case: String,
    responder_us: f64,
    bare_us: f64,
}

/// How both sides prove who they are, and how they exchange keys.
#[derive(Serialize)]
pub(super) struct Row {
    case: String,
    handshakes_per_cpu_second: Spread,
    responder_us: Spread,
    bare_us: Spread,
    /// The share of the responder's time that the bare cryptography needs: 1 is the most there can be.
    ratio: Spread,
    mark: Mark,
}

/// What we want the least ratio to be.
const MARK: f64 = 0.9;

pub(super) const HEADER: [&str; 6] = [
    "handshake",
    "handshakes/CPU s",
    "us each",
    "bare us",
    "bare/responder",
    "mark",
];

pub(super) fn rows(samples: &[Sample]) -> Vec<Row> {
    let cases = by_case(samples, |sample| sample.case.clone()).into_iter();
    let rows = cases.map(|(case, rounds)| {
        let spread = |figure: fn(&Sample) -> f64| Spread::of(rounds.iter().map(|sample| figure(sample)));
        let ratio = spread(|sample| sample.bare_us / sample.responder_us);
        Row {
            case,
            handshakes_per_cpu_second: spread(|sample| 1e6 / sample.responder_us),
            responder_us: spread(|sample| sample.responder_us),
            bare_us: spread(|sample| sample.bare_us),
            ratio,
            mark: Mark::at_least(MARK, ratio.median),
        }
    });
    rows.collect()
}

impl Row {
    pub(super) fn cells(&self) -> [String; 6] {
        [
            self.case.clone(),
            format!("{:.0}", self.handshakes_per_cpu_second),
            format!("{:.1}", self.responder_us),
            format!("{:.1}", self.bare_us),
            self.ratio.to_string(),
            self.mark.to_string(),
        ]
    }
}
