//! What the responder asks of its surroundings.

use std::time::{Duration, Instant, SystemTime};

use distributor_client::lease::LeaseGrant;
use distributor_client::state::{SessionState, SharedReplica};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::watch;

/// The system's randomness, and the fleet's SPIs.
pub(crate) struct FleetHost {
    random: SystemRandom,
    replica: SharedReplica,
    session: watch::Receiver<SessionState>,
    /// By which the responder acts.
    grant: LeaseGrant,
}

impl FleetHost {
    pub(crate) fn new(
        replica: SharedReplica,
        session: watch::Receiver<SessionState>,
        grant: LeaseGrant,
    ) -> Self {
        Self {
            random: SystemRandom::new(),
            replica,
            session,
            grant,
        }
    }
}

impl ike::Host for FleetHost {
    fn fill_random(&mut self, buffer: &mut [u8]) {
        self.random.fill(buffer).expect(
            "getrandom(2) does not fail once the kernel's generator is seeded, before any daemon starts",
        );
    }

    fn is_esp_spi_taken(&self, spi: u32) -> bool {
        self.replica.read().is_esp_spi_taken(spi)
    }

    /// Nobody but this slot's holder makes IKE SAs with its SPIs, and of those that it has not made itself, as this process, it
    /// has heard once its session has caught up. In doubt nothing is gone.
    fn is_ike_sa_gone(&self, responder_spi: u64) -> bool {
        let session = self.session.borrow();
        let lease = session.lease(Instant::now());
        let is_holder = lease.is_some_and(|lease| lease.is_same(&self.grant));
        is_holder && session.caught_up && self.replica.read().ike_sa(responder_spi).is_none()
    }

    /// A clock that stands before 1970 makes cookies that other edges do not know, and no certificate valid.
    fn unix_time(&self) -> Duration {
        let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        elapsed.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use ike::Host;
    use proto::Slot;

    use super::*;
    use crate::fixtures;

    const KNOWN: u64 = 7;

    /// An edge's view of a fleet with one IKE SA.
    fn is_gone(spi: u64, session: SessionState) -> bool {
        let replica = SharedReplica::default();
        *replica.write() = fixtures::snapshot(1, vec![fixtures::ike_sa(1, KNOWN, "acme")], 1);
        let host = FleetHost::new(replica, watch::channel(session).1, grant(1, Duration::ZERO));
        host.is_ike_sa_gone(spi)
    }

    fn grant(incarnation: u32, lease: Duration) -> LeaseGrant {
        LeaseGrant {
            slot: Slot::new(1).unwrap(),
            incarnation,
            store: 1,
            until: Instant::now() + lease,
        }
    }

    fn session(caught_up: bool, lease: Option<Duration>) -> SessionState {
        SessionState {
            caught_up,
            grant: lease.map(|lease| grant(1, lease)),
            ..SessionState::default()
        }
    }

    /// RFC 6290 section 9.2.
    #[test]
    fn an_ike_sa_is_gone_only_when_the_fleet_does_not_know_it_for_certain() {
        let lease = Some(Duration::from_secs(600));
        assert!(is_gone(KNOWN + 1, session(true, lease)));
        assert!(!is_gone(KNOWN, session(true, lease)));
        assert!(
            !is_gone(KNOWN + 1, session(false, lease)),
            "the session has not caught up"
        );
        assert!(!is_gone(KNOWN + 1, session(true, None)), "there is no lease");
        let run_out = Some(Duration::ZERO);
        assert!(
            !is_gone(KNOWN + 1, session(true, run_out)),
            "the lease has run out"
        );
        let next = SessionState {
            grant: Some(grant(2, Duration::from_secs(600))),
            ..session(true, lease)
        };
        assert!(!is_gone(KNOWN + 1, next), "another responder's lease");
    }
}
