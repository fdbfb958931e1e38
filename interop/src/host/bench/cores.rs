//! What `ike/benches/cores` measures.

use serde::{Deserialize, Serialize};

use super::spread::{Mark, Spread};

/// A round.
#[derive(Deserialize)]
pub(super) struct Sample {
    one_per_second: f64,
    two_per_second: f64,
    calm_us: f64,
    flooded_us: f64,
}

/// Two figures, the second beside the first.
#[derive(Serialize)]
pub(super) struct Row {
    what: &'static str,
    first: Spread,
    second: Spread,
    ratio: Spread,
    mark: Mark,
}

/// What two threads are to bring.
const SCALING_MARK: f64 = 1.8;

/// Four others flood the responder: with the customer they are five, and each has a fair share.
const FLOOD_MARK: f64 = 5.0;

pub(super) const HEADER: [&str; 5] = ["what", "first", "second", "second/first", "mark"];

pub(super) fn rows(samples: &[Sample]) -> Vec<Row> {
    let spread = |figure: fn(&Sample) -> f64| Spread::of(samples.iter().map(figure));
    let scaling = spread(|sample| sample.two_per_second / sample.one_per_second);
    let flood = spread(|sample| sample.flooded_us / sample.calm_us);
    vec![
        Row {
            what: "handshakes a second by the clock: one thread, two threads",
            first: spread(|sample| sample.one_per_second),
            second: spread(|sample| sample.two_per_second),
            ratio: scaling,
            mark: Mark::at_least(SCALING_MARK, scaling.median),
        },
        Row {
            what: "us of a handshake: alone, while four others flood the responder",
            first: spread(|sample| sample.calm_us),
            second: spread(|sample| sample.flooded_us),
            ratio: flood,
            mark: Mark::at_most(FLOOD_MARK, flood.median),
        },
    ]
}

impl Row {
    pub(super) fn cells(&self) -> [String; 5] {
        [
            self.what.to_owned(),
            format!("{:.0}", self.first),
            format!("{:.0}", self.second),
            self.ratio.to_string(),
            self.mark.to_string(),
        ]
    }
}
