//! How far each edge had come when a change's barrier ended.

use proto::v1;
use serde::{Deserialize, Serialize};

use crate::TunnelView;

/// One edge's progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgressView {
    /// The edge's.
    pub name: String,
    /// The edge's.
    pub slot: u32,
    /// Whether its kernel has the change.
    pub applied: bool,
    /// Milliseconds from the change's durability to the edge's report; `null` while there is none.
    pub elapsed_ms: Option<f64>,
    /// What its kernel refuses of the change.
    pub failures: Vec<FailureView>,
}

/// Something an edge's kernel refuses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureView {
    /// The record that it belongs to.
    pub what: String,
    /// The kernel's error number; 0 when the kernel was not asked.
    pub errno: i32,
    /// In words.
    pub reason: String,
}

/// What a tunnel was changed to, and which edges have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TunnelChangeView {
    /// Of the change.
    pub revision: u64,
    /// As it is now.
    pub tunnel: TunnelView,
    /// All that the barrier waited for.
    pub edges: Vec<ProgressView>,
}

/// What a revocation did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedView {
    /// Of the change.
    pub revision: u64,
    /// How many have ended.
    pub ike_sas: u32,
    /// How many have ended.
    pub child_sas: u32,
    /// All that the barrier waited for.
    pub edges: Vec<ProgressView>,
}

impl TunnelChangeView {
    /// The tunnel, and what the distributor answered to it.
    pub fn new(tunnel: TunnelView, response: v1::PutTunnelResponse) -> Self {
        Self {
            revision: response.revision,
            tunnel,
            edges: response.edges.into_iter().map(ProgressView::from).collect(),
        }
    }
}

impl From<v1::EdgeProgress> for ProgressView {
    fn from(edge: v1::EdgeProgress) -> Self {
        Self {
            name: edge.name,
            slot: edge.slot,
            applied: edge.applied,
            elapsed_ms: edge.applied.then(|| f64::from(edge.elapsed_us) / 1000.0),
            failures: edge.failures.into_iter().map(FailureView::from).collect(),
        }
    }
}

impl From<v1::Failure> for FailureView {
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

impl From<v1::RevokeResponse> for RevokedView {
    fn from(response: v1::RevokeResponse) -> Self {
        Self {
            revision: response.revision,
            ike_sas: response.ike_sas,
            child_sas: response.child_sas,
            edges: response.edges.into_iter().map(ProgressView::from).collect(),
        }
    }
}
