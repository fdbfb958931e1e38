//! `anyswan fleet`: the edges and how far they are.

use clap::Subcommand;
use proto::v1;
use views::{FailureView, FleetView};

use super::failure::Failure;
use super::operator::{self, OperatorArgs};
use super::output;

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
                edge.state.as_str().to_owned(),
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
        for FailureView { what, reason, .. } in &edge.failures {
            output::text(format_args!("{}: {what}: {reason}", edge.name))?;
        }
        let more = (edge.failures_total as usize).saturating_sub(edge.failures.len());
        if more > 0 {
            output::text(format_args!("{}: and {more} more", edge.name))?;
        }
    }
    Ok(())
}
