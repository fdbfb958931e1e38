//! What the tasks of a process tell each other about its session: each says how it is now, and the others look when they are woken.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use proto::v1::fleet_client::FleetClient;
use proto::{Failure, Resume};
use tonic::transport::Channel;

use crate::lease::LeaseGrant;
use crate::replica::Replica;

/// How the session with the distributor stands.
#[derive(Clone, Debug, Default)]
pub struct SessionState {
    /// `None` while there is no session.
    pub client: Option<FleetClient<Channel>>,
    /// The session has brought all that was there when it began.
    pub caught_up: bool,
    /// The last grant; it may have run out.
    pub grant: Option<LeaseGrant>,
    /// Up to where the replica is complete.
    pub received: Option<Resume>,
    /// Up to where the records are applied here.
    pub applied: Option<Resume>,
    /// Since when there is something that is not applied.
    pub behind_since: Option<Instant>,
}

impl SessionState {
    /// The lease grant, if it runs.
    pub fn lease(&self, now: Instant) -> Option<LeaseGrant> {
        self.grant.filter(|grant| grant.runs(now))
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
        if self.applied != Some(position) {
            self.behind_since.get_or_insert(now);
        }
    }

    /// What had been received when `applied` was begun is applied.
    pub fn note_applied(&mut self, applied: &AppliedReport) {
        self.applied = Some(applied.position);
        self.behind_since = match self.behind_since {
            Some(since) if self.received != self.applied => Some(since.max(applied.began)),
            _ => None,
        };
    }
}

/// What whoever applies the records has done, in a kernel or elsewhere.
#[derive(Clone, Debug)]
pub struct AppliedReport {
    /// Everything up to here is applied, but for the failures.
    pub position: Resume,
    /// When the replica was read for that.
    pub began: Instant,
    /// What could not be applied.
    pub failures: Vec<Failure>,
}

/// The replica, written by the subscriber and read by everybody.
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
        let mut session = SessionState::default();
        let position = Resume {
            store: 1,
            revision: 1,
        };
        session.note_received(position, Instant::now());
        assert!(session.caught_up);
        session.note_session(None);
        assert!(!session.caught_up);
    }

    #[test]
    fn lag_counts_from_the_first_thing_that_the_kernel_has_not() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let position = |revision| Resume { store: 1, revision };
        let applied = |revision, began| AppliedReport {
            position: position(revision),
            began,
            failures: vec![],
        };

        let mut session = SessionState::default();
        session.note_received(position(1), at(100));
        session.note_received(position(2), at(200));
        assert_eq!(session.behind_since, Some(at(100)));
        session.note_applied(&applied(1, at(150)));
        assert_eq!(session.behind_since, Some(at(150)));
        session.note_applied(&applied(2, at(250)));
        assert_eq!(session.behind_since, None);
        session.note_received(position(2), at(300));
        assert_eq!(
            session.behind_since, None,
            "a new session has brought nothing new"
        );
        session.note_received(position(3), at(400));
        assert_eq!(session.behind_since, Some(at(400)));
    }
}
