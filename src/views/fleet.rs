//! The edges and how far they are.

use proto::v1;
use serde::{Deserialize, Serialize};

use crate::FailureView;

/// The fleet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetView {
    /// The store's.
    pub revision: u64,
    /// An edge that is further behind gets everything again.
    pub oldest_resumable_revision: u64,
    /// How many there are.
    pub tunnels: u32,
    /// How many there are.
    pub ike_sas: u32,
    /// How many there are.
    pub child_sas: u32,
    /// All that have a slot.
    pub edges: Vec<EdgeView>,
}

/// One edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeView {
    /// As its certificate says.
    pub name: String,
    /// Leased from the distributor.
    pub slot: u32,
    /// Whether it is reached, and keeps up.
    pub state: EdgeState,
    /// Up to where its kernel is.
    pub applied_revision: u64,
    /// Revisions that it has not applied yet.
    pub lag: u64,
    /// Milliseconds.
    pub lease_remaining_ms: u32,
    /// Its unicast address for other edges.
    pub forward: String,
    /// Of its present process.
    pub incarnation: u32,
    /// What its kernel refuses; the first of them.
    pub failures: Vec<FailureView>,
    /// How many failures there are.
    pub failures_total: u32,
    /// Addresses of the machines that take turns as this edge, since they have one certificate.
    pub rivals: Vec<String>,
}

/// Whether an edge is reached, and keeps up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeState {
    /// The distributor is newer than this program.
    Unknown,
    /// Barriers wait for it.
    Live,
    /// Too slow for barriers.
    Lagging,
    /// Without a stream.
    CutOff,
    /// Without a lease.
    Expired,
}

impl EdgeState {
    /// As it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Live => "live",
            Self::Lagging => "lagging",
            Self::CutOff => "cut-off",
            Self::Expired => "expired",
        }
    }
}

impl From<v1::edge_status::State> for EdgeState {
    fn from(state: v1::edge_status::State) -> Self {
        use v1::edge_status::State;
        match state {
            State::Unspecified => Self::Unknown,
            State::Live => Self::Live,
            State::Lagging => Self::Lagging,
            State::CutOff => Self::CutOff,
            State::Expired => Self::Expired,
        }
    }
}

impl From<v1::FleetStatusResponse> for FleetView {
    fn from(status: v1::FleetStatusResponse) -> Self {
        let revision = status.revision;
        let edges = status.edges.into_iter();
        Self {
            revision,
            oldest_resumable_revision: status.oldest_resumable_revision,
            tunnels: status.tunnels,
            ike_sas: status.ike_sas,
            child_sas: status.child_sas,
            edges: edges.map(|edge| EdgeView::new(edge, revision)).collect(),
        }
    }
}

impl EdgeView {
    fn new(edge: v1::EdgeStatus, revision: u64) -> Self {
        Self {
            state: edge.state().into(),
            name: edge.name,
            slot: edge.slot,
            applied_revision: edge.applied_revision,
            lag: revision.saturating_sub(edge.applied_revision),
            lease_remaining_ms: edge.lease_remaining_ms,
            forward: edge.forward,
            incarnation: edge.incarnation,
            failures: edge.failures.into_iter().map(FailureView::from).collect(),
            failures_total: edge.failures_total,
            rivals: edge.rivals,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_shown_as_it_is_in_json() {
        for state in [
            EdgeState::Unknown,
            EdgeState::Live,
            EdgeState::Lagging,
            EdgeState::CutOff,
            EdgeState::Expired,
        ] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
