//! How far each edge had come when a change's barrier ended.

use proto::v1;
use serde::Serialize;

use super::failure::{Failure, Kind};
use super::output;

/// One edge's progress, as `--json` shows it.
#[derive(Debug, Serialize)]
pub(super) struct Progress {
    name: String,
    slot: u32,
    applied: bool,
    /// From the change's durability to the edge's report; `null` while there is none.
    elapsed_ms: Option<f64>,
    failures: Vec<Refusal>,
}

/// Something an edge's kernel refuses.
#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    pub(super) what: String,
    pub(super) errno: i32,
    pub(super) reason: String,
}

impl From<v1::EdgeProgress> for Progress {
    fn from(edge: v1::EdgeProgress) -> Self {
        Self {
            name: edge.name,
            slot: edge.slot,
            applied: edge.applied,
            elapsed_ms: edge.applied.then(|| f64::from(edge.elapsed_us) / 1000.0),
            failures: edge.failures.into_iter().map(Refusal::from).collect(),
        }
    }
}

impl From<v1::Failure> for Refusal {
    fn from(failure: v1::Failure) -> Self {
        let key = failure.key.map(proto::Key::try_from);
        let what = key
            .and_then(Result::ok)
            .map_or_else(|| "?".to_owned(), |key| key.to_string());
        Self {
            what,
            errno: failure.errno,
            reason: failure.reason,
        }
    }
}

/// What was done by, or is gone from, "2 of 3 edges", and a row for each of them.
pub(super) fn print(done: &str, edges: &[Progress]) -> Result<(), Failure> {
    let applied = edges.iter().filter(|edge| edge.applied).count();
    output::text(format_args!("{done} {applied} of {} edges", edges.len()))?;
    if edges.is_empty() {
        return Ok(());
    }
    output::table(
        &["EDGE", "DONE", "TOOK", "REFUSED"],
        edges.iter().map(|edge| {
            let refused: Vec<_> = edge
                .failures
                .iter()
                .map(|f| format!("{}: {}", f.what, f.reason))
                .collect();
            [
                edge.name.clone(),
                if edge.applied { "yes" } else { "not yet" }.to_owned(),
                edge.elapsed_ms
                    .map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms")),
                if refused.is_empty() {
                    "-".to_owned()
                } else {
                    refused.join("\n")
                },
            ]
        }),
    )
}

/// A script can tell from the exit code that an edge is missing, or that its kernel refuses something of it.
pub(super) fn check(edges: &[Progress]) -> Result<(), Failure> {
    let names = |chosen: fn(&Progress) -> bool| {
        let chosen = edges.iter().filter(|edge| chosen(edge));
        chosen
            .map(|edge| edge.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let late = names(|edge| !edge.applied);
    let refused = names(|edge| !edge.failures.is_empty());
    let fault = if !late.is_empty() {
        format!("not yet done by {late}")
    } else if !refused.is_empty() {
        format!("refused by the kernel of {refused}")
    } else {
        return Ok(());
    };
    Err(Failure::new(
        Kind::Late,
        format_args!("it is decided, but {fault}; `anyswan fleet status` tells more"),
    ))
}
