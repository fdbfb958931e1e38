//! `anyswan fleet`: the edges and how far they are.

use clap::Subcommand;
use proto::v1;
use serde::Serialize;

use super::failure::Failure;
use super::operator::{self, OperatorArgs};
use super::output;
use super::progress::Refusal;

/// `anyswan fleet ...`
#[derive(Debug, Subcommand)]
pub(super) enum FleetCommand {
    /// Show each edge's slot, lag and state, and what its kernel refuses.
    Status {
        #[command(flatten)]
        operator: OperatorArgs,
    },
}

pub(super) fn run(command: FleetCommand) -> Result<(), Failure> {
    let FleetCommand::Status { operator } = command;
    let response = operator::call(&operator.load()?, async |mut client| {
        Ok(client.fleet_status(v1::FleetStatusRequest {}).await?.into_inner())
    })?;
    let status = FleetView::from(response);
    if operator.json {
        output::json(&status)
    } else {
        print(&status)
    }
}

/// The fleet, as `--json` shows it.
#[derive(Debug, Serialize)]
struct FleetView {
    revision: u64,
    oldest_resumable_revision: u64,
    tunnels: u32,
    ike_sas: u32,
    child_sas: u32,
    edges: Vec<EdgeView>,
}

/// One edge.
#[derive(Debug, Serialize)]
struct EdgeView {
    name: String,
    slot: u32,
    state: &'static str,
    applied_revision: u64,
    /// Revisions that it has not applied yet.
    lag: u64,
    lease_remaining_ms: u32,
    forward: String,
    incarnation: u32,
    failures: Vec<Refusal>,
    /// `failures` holds the first of them only.
    failures_total: u32,
    /// Addresses of the machines that take turns as this edge, since they have one certificate.
    rivals: Vec<String>,
}

impl From<v1::FleetStatusResponse> for FleetView {
    fn from(status: v1::FleetStatusResponse) -> Self {
        let revision = status.revision;
        Self {
            revision,
            oldest_resumable_revision: status.oldest_resumable_revision,
            tunnels: status.tunnels,
            ike_sas: status.ike_sas,
            child_sas: status.child_sas,
            edges: status
                .edges
                .into_iter()
                .map(|edge| EdgeView::new(edge, revision))
                .collect(),
        }
    }
}

impl EdgeView {
    fn new(edge: v1::EdgeStatus, revision: u64) -> Self {
        Self {
            state: state(edge.state()),
            name: edge.name,
            slot: edge.slot,
            applied_revision: edge.applied_revision,
            lag: revision.saturating_sub(edge.applied_revision),
            lease_remaining_ms: edge.lease_remaining_ms,
            forward: edge.forward,
            incarnation: edge.incarnation,
            failures: edge.failures.into_iter().map(Refusal::from).collect(),
            failures_total: edge.failures_total,
            rivals: edge.rivals,
        }
    }
}

/// In the barrier's set, too slow for it, without a stream, without a lease.
fn state(state: v1::edge_status::State) -> &'static str {
    use v1::edge_status::State;
    match state {
        State::Unspecified => "unknown",
        State::Live => "live",
        State::Lagging => "lagging",
        State::CutOff => "cut-off",
        State::Expired => "expired",
    }
}

fn print(status: &FleetView) -> Result<(), Failure> {
    let FleetView {
        revision,
        tunnels,
        ike_sas,
        child_sas,
        edges,
        ..
    } = status;
    output::text(format_args!(
        "revision {revision}: {tunnels} tunnels, {ike_sas} IKE SAs, {child_sas} child SAs, {} edges",
        edges.len()
    ))?;
    if edges.is_empty() {
        return Ok(());
    }
    output::table(
        &[
            "EDGE", "SLOT", "STATE", "APPLIED", "LAG", "LEASE", "FORWARD", "REFUSED",
        ],
        edges.iter().map(|edge| {
            [
                edge.name.clone(),
                edge.slot.to_string(),
                edge.state.to_owned(),
                edge.applied_revision.to_string(),
                edge.lag.to_string(),
                format!("{:.1} s", f64::from(edge.lease_remaining_ms) / 1000.0),
                edge.forward.clone(),
                edge.failures_total.to_string(),
            ]
        }),
    )?;
    for edge in edges {
        if !edge.rivals.is_empty() {
            output::text(format_args!(
                "{0}: several machines have its certificate and take turns: {1}; `anyswan pki issue --dir DIR edge NAME` makes \
                 one of its own for one of them",
                edge.name,
                edge.rivals.join(", ")
            ))?;
        }
        for Refusal { what, reason, .. } in &edge.failures {
            output::text(format_args!("{}: {what}: {reason}", edge.name))?;
        }
        let more = (edge.failures_total as usize).saturating_sub(edge.failures.len());
        if more > 0 {
            output::text(format_args!("{}: and {more} more", edge.name))?;
        }
    }
    Ok(())
}
