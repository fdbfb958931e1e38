//! What the tasks of a process tell each other about its session: each says what is so now, and the others look when they are woken.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use proto::v1::fleet_client::FleetClient;
use proto::{Failure, Resume};
use tonic::transport::Channel;

use crate::lease::Tenure;
use crate::replica::Replica;

/// What the link to the distributor says.
#[derive(Clone, Debug, Default)]
pub struct LinkState {
    /// `None` while there is no session.
    pub client: Option<FleetClient<Channel>>,
    /// The session has brought all that was there when it began.
    pub caught_up: bool,
    /// The last lease; it may have run out.
    pub tenure: Option<Tenure>,
    /// Up to where the replica is complete.
    pub received: Option<Resume>,
    /// Up to where the kernel is.
    pub installed: Option<Resume>,
    /// Since when there is something that the kernel has not.
    pub behind_since: Option<Instant>,
}

impl LinkState {
    /// The lease, if it runs.
    pub fn lease(&self, now: Instant) -> Option<Tenure> {
        self.tenure.filter(|tenure| tenure.runs(now))
    }

    /// A session begins, by this client, or has ended.
    pub fn note_session(&mut self, client: Option<FleetClient<Channel>>) {
        self.client = client;
        self.caught_up = false;
    }

    /// The replica is complete up to `position` since now.
    pub fn note_received(&mut self, position: Resume, now: Instant) {
        self.received = Some(position);
        self.caught_up = true;
        // A session that resumes brings the position again that it resumes from.
        if self.installed != Some(position) {
            self.behind_since.get_or_insert(now);
        }
    }

    /// The kernel has what had been received when `installed` was begun.
    pub fn note_installed(&mut self, installed: &Installed) {
        self.installed = Some(installed.position);
        self.behind_since = match self.behind_since {
            Some(since) if self.received != self.installed => Some(since.max(installed.began)),
            _ => None,
        };
    }
}

/// What the kernel's thread says.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Everything up to here is in the kernel, but for the failures.
    pub position: Resume,
    /// When it read the replica for that.
    pub began: Instant,
    /// What stands between the records and the kernel.
    pub failures: Vec<Failure>,
}

/// The replica, written by the link and read by everybody.
#[derive(Clone, Default)]
pub struct SharedReplica(Arc<RwLock<Replica>>);

impl SharedReplica {
    /// Not to be held across an await.
    pub fn read(&self) -> RwLockReadGuard<'_, Replica> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Not to be held across an await.
    pub fn write(&self) -> RwLockWriteGuard<'_, Replica> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_session_has_to_catch_up_anew() {
        let mut link = LinkState::default();
        let position = Resume {
            store: 1,
            revision: 1,
        };
        link.note_received(position, Instant::now());
        assert!(link.caught_up);
        link.note_session(None);
        assert!(!link.caught_up);
    }

    #[test]
    fn lag_counts_from_the_first_thing_that_the_kernel_has_not() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let position = |revision| Resume { store: 1, revision };
        let installed = |revision, began| Installed {
            position: position(revision),
            began,
            failures: vec![],
        };

        let mut link = LinkState::default();
        link.note_received(position(1), at(100));
        link.note_received(position(2), at(200));
        assert_eq!(link.behind_since, Some(at(100)));
        link.note_installed(&installed(1, at(150)));
        assert_eq!(link.behind_since, Some(at(150)));
        link.note_installed(&installed(2, at(250)));
        assert_eq!(link.behind_since, None);
        link.note_received(position(2), at(300));
        assert_eq!(link.behind_since, None, "a new session has brought nothing new");
        link.note_received(position(3), at(400));
        assert_eq!(link.behind_since, Some(at(400)));
    }
}
