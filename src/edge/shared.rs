//! What the parts of an edge share.

use std::sync::Arc;
use std::time::Instant;

use distributor_client::lease::LeaseGrant;
use distributor_client::state::{AppliedReport, SessionState, SharedReplica};
use sealing::FleetKey;
use tokio::sync::watch;

use crate::metrics::Metrics;

/// What every part of the edge may look at. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) fleet_key: Arc<FleetKey>,
    pub(crate) replica: SharedReplica,
    pub(crate) session: watch::Receiver<SessionState>,
    /// `None` before the first snapshot is in the kernel.
    pub(crate) installed: watch::Receiver<Option<AppliedReport>>,
    /// True when new IKE SAs are left to other edges, since this one is about to stop.
    pub(crate) draining: watch::Receiver<bool>,
    pub(crate) metrics: Metrics,
}

/// The other ends of [`Shared`], each for the one part that has something to say.
pub(crate) struct Writers {
    pub(crate) session: watch::Sender<SessionState>,
    pub(crate) installed: watch::Sender<Option<AppliedReport>>,
    pub(crate) draining: watch::Sender<bool>,
}

impl Shared {
    /// Before anything has happened.
    pub(crate) fn new(fleet_key: Arc<FleetKey>) -> (Self, Writers) {
        let (session_writer, session) = watch::channel(SessionState::default());
        let (installed_writer, installed) = watch::channel(None);
        let (draining_writer, draining) = watch::channel(false);
        let shared = Self {
            fleet_key,
            replica: SharedReplica::default(),
            session,
            installed,
            draining,
            metrics: Metrics::default(),
        };
        let writers = Writers {
            session: session_writer,
            installed: installed_writer,
            draining: draining_writer,
        };
        (shared, writers)
    }

    /// The lease, if it runs.
    pub(crate) fn lease(&self, now: Instant) -> Option<LeaseGrant> {
        self.session.borrow().lease(now)
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }
}
