//! What the responder asks of its surroundings.

use std::time::{Duration, Instant, SystemTime};

use distributor_client::lease::Tenure;
use distributor_client::state::{LinkState, SharedReplica};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::watch;

/// The system's randomness, and the fleet's SPIs.
pub(crate) struct FleetHost {
    random: SystemRandom,
    replica: SharedReplica,
    link: watch::Receiver<LinkState>,
    /// By which the responder acts.
    tenure: Tenure,
}

impl FleetHost {
    pub(crate) fn new(replica: SharedReplica, link: watch::Receiver<LinkState>, tenure: Tenure) -> Self {
        Self {
            random: SystemRandom::new(),
            replica,
            link,
            tenure,
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
        let link = self.link.borrow();
        let lease = link.lease(Instant::now());
        let is_holder = lease.is_some_and(|lease| lease.is_same(&self.tenure));
        is_holder && link.caught_up && self.replica.read().ike_sa(responder_spi).is_none()
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
    fn is_gone(spi: u64, link: LinkState) -> bool {
        let replica = SharedReplica::default();
        *replica.write() = fixtures::snapshot(1, vec![fixtures::ike_sa(1, KNOWN, "acme")], 1);
        let host = FleetHost::new(replica, watch::channel(link).1, tenure(1, Duration::ZERO));
        host.is_ike_sa_gone(spi)
    }

    fn tenure(incarnation: u32, lease: Duration) -> Tenure {
        Tenure {
            slot: Slot::new(1).unwrap(),
            incarnation,
            store: 1,
            until: Instant::now() + lease,
        }
    }

    fn link(caught_up: bool, lease: Option<Duration>) -> LinkState {
        LinkState {
            caught_up,
            tenure: lease.map(|lease| tenure(1, lease)),
            ..LinkState::default()
        }
    }

    /// RFC 6290 section 9.2.
    #[test]
    fn an_ike_sa_is_gone_only_when_the_fleet_does_not_know_it_for_certain() {
        let lease = Some(Duration::from_secs(600));
        assert!(is_gone(KNOWN + 1, link(true, lease)));
        assert!(!is_gone(KNOWN, link(true, lease)));
        assert!(
            !is_gone(KNOWN + 1, link(false, lease)),
            "the session has not caught up"
        );
        assert!(!is_gone(KNOWN + 1, link(true, None)), "there is no lease");
        let run_out = Some(Duration::ZERO);
        assert!(!is_gone(KNOWN + 1, link(true, run_out)), "the lease has run out");
        let next = LinkState {
            tenure: Some(tenure(2, Duration::from_secs(600))),
            ..link(true, lease)
        };
        assert!(!is_gone(KNOWN + 1, next), "another responder's lease");
    }
}
