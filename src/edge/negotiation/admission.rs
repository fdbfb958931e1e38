//! How often a customer may make the fleet install new SAs.
//!
//! Each is a change in every edge's kernel and, once it has ended, a tombstone for a day. The distributor bounds how many
//! there are at once; this bounds how fast they can come and go.

use std::time::{Duration, Instant};

use distributor_client::replica::Replica;
use distributor_client::{Rate, RateLimit};
use ike::{Change, Commit};

const RATE: Rate = Rate {
    // A router that starts again, or that rekeys all of its child SAs together.
    burst: 64,
    interval: Duration::from_secs(2),
};

/// What each tunnel has had lately.
pub(crate) struct Admission(RateLimit<String>);

impl Default for Admission {
    fn default() -> Self {
        // One key for each tunnel of the fleet at most.
        Self(RateLimit::new(RATE, usize::MAX))
    }
}

impl Admission {
    /// True when the tunnel may have one more.
    pub(crate) fn admit(&mut self, tunnel: &str, now: Instant) -> bool {
        self.0.admit(tunnel.to_owned(), now).is_some()
    }
}

/// The tunnel that a commit makes a new SA for.
pub(crate) fn tunnel_of_new_sa<'a>(commit: &'a Commit, replica: &Replica) -> Option<&'a str> {
    commit.changes.iter().find_map(|change| match change {
        Change::PutIke(sa) if replica.ike_sa(sa.spis.responder).is_none() => Some(sa.tunnel.as_str()),
        Change::PutChild(child) => Some(child.tunnel.as_str()),
        Change::PutIke(_) | Change::UpdateChild { .. } | Change::RemoveChild(_) | Change::RemoveIke(_) => {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_gets_a_burst_and_then_one_at_a_time_and_others_do_not_notice() {
        let mut admission = Admission::default();
        let start = Instant::now();
        let mut admitted =
            |tunnel: &str, now, tries| (0..tries).filter(|_| admission.admit(tunnel, now)).count();
        assert_eq!(admitted("noisy", start, 1000), RATE.burst as usize);
        assert_eq!(admitted("calm", start, 1), 1);
        assert_eq!(
            admitted("noisy", start + RATE.interval - Duration::from_millis(1), 10),
            0
        );
        assert_eq!(admitted("noisy", start + RATE.interval, 10), 1);
        assert_eq!(admitted("noisy", start + RATE.interval * 4, 10), 3);
        assert_eq!(
            admitted("noisy", start + RATE.interval * 1000, 1000),
            RATE.burst as usize
        );
    }
}
