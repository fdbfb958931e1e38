//! How often a customer may make the fleet take up new SAs.
//!
//! Each is a change in every edge's kernel and, once it has ended, a tombstone for a day. The distributor bounds how many
//! there are at once; this bounds how fast they can come and go.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use distributor_client::replica::Replica;
use ike::{Change, Commit};

/// New SAs of a tunnel at once: a router that starts again, or that rekeys all of its child SAs together.
const BURST: u32 = 64;

/// One more is allowed after this time, whatever came before.
const INTERVAL: Duration = Duration::from_secs(2);

/// What each tunnel has had lately.
#[derive(Default)]
pub(crate) struct Admission {
    /// When the tunnel may have a whole burst again. At most one entry for each tunnel of the fleet.
    rested: HashMap<String, Instant>,
}

impl Admission {
    /// True when the tunnel may have one more.
    pub(crate) fn admit(&mut self, tunnel: &str, now: Instant) -> bool {
        let rested = self.rested.get(tunnel).copied().unwrap_or(now).max(now);
        if rested + INTERVAL > now + INTERVAL * BURST {
            return false;
        }
        self.rested.insert(tunnel.to_owned(), rested + INTERVAL);
        true
    }
}

/// The tunnel that a commit makes a new SA for.
pub(crate) fn tunnel_of_new_sa<'a>(commit: &'a Commit, replica: &Replica) -> Option<&'a str> {
    commit.changes.iter().find_map(|change| match change {
        Change::PutIke(sa) if replica.ike_sa(sa.spis.responder).is_none() => Some(sa.tunnel.as_str()),
        Change::PutChild(child) => Some(child.tunnel.as_str()),
        _ => None,
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
        assert_eq!(admitted("noisy", start, 1000), BURST as usize);
        assert_eq!(admitted("calm", start, 1), 1);
        assert_eq!(
            admitted("noisy", start + INTERVAL - Duration::from_millis(1), 10),
            0
        );
        assert_eq!(admitted("noisy", start + INTERVAL, 10), 1);
        assert_eq!(admitted("noisy", start + INTERVAL * 4, 10), 3);
        assert_eq!(admitted("noisy", start + INTERVAL * 1000, 1000), BURST as usize);
    }
}
