//! How far each edge had come when a change's barrier ended.

use views::ProgressView;

use super::failure::{Failure, Kind};
use super::output;

/// What was done by, or is gone from, "2 of 3 edges", and a row for each of them.
pub(super) fn print(done: &str, edges: &[ProgressView]) -> Result<(), Failure> {
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
pub(super) fn check(edges: &[ProgressView]) -> Result<(), Failure> {
    let names = |chosen: fn(&ProgressView) -> bool| {
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
