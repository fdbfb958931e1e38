//! What `xfrm/examples/install.rs` measures.

use comfy_table::Table;
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

pub(super) fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.set_header(["installed", "agent SA/s", "ip -batch SA/s", "agent/ip"]);
    for row in rows {
        table.add_row([
            row.load.clone(),
            format!("{:.0}", row.agent_sas_per_second),
            format!("{:.0}", row.ip_batch_sas_per_second),
            row.ratio.to_string(),
        ]);
    }
    table
}
