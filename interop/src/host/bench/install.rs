//! What `xfrm/examples/install.rs` measures.

use serde::{Deserialize, Serialize};

use super::spread::{Spread, by_case};

/// Many SAs, installed by the agent and by `ip -batch`: seconds of wall-clock time.
#[derive(Deserialize)]
pub(super) struct Sample {
    load: String,
    sas: f64,
    agent_s: f64,
    ip_batch_s: f64,
}

/// What was installed.
#[derive(Serialize)]
pub(super) struct Row {
    load: String,
    agent_sas_per_second: Spread,
    ip_batch_sas_per_second: Spread,
    /// The agent's rate to that of `ip -batch`: more than 1 is faster.
    ratio: Spread,
}

pub(super) const HEADER: [&str; 4] = ["installed", "agent SAs/s", "ip -batch SAs/s", "agent/ip"];

pub(super) fn rows(samples: &[Sample]) -> Vec<Row> {
    let loads = by_case(samples, |sample| sample.load.clone()).into_iter();
    let rows = loads.map(|(load, rounds)| {
        let spread = |figure: fn(&Sample) -> f64| Spread::of(rounds.iter().map(|sample| figure(sample)));
        Row {
            load,
            agent_sas_per_second: spread(|sample| sample.sas / sample.agent_s),
            ip_batch_sas_per_second: spread(|sample| sample.sas / sample.ip_batch_s),
            ratio: spread(|sample| sample.ip_batch_s / sample.agent_s),
        }
    });
    rows.collect()
}

impl Row {
    pub(super) fn cells(&self) -> [String; 4] {
        [
            self.load.clone(),
            format!("{:.0}", self.agent_sas_per_second),
            format!("{:.0}", self.ip_batch_sas_per_second),
            self.ratio.to_string(),
        ]
    }
}
