//! How often a peer's requests may change what the fleet knows.
//!
//! Each such change is a commit that every edge takes part in, and a peer can ask for one with every message: a child SA made
//! and deleted, another token (RFC 6290 section 4.4), another address (RFC 4555 section 3.5).

use std::time::{Duration, Instant};

/// Requests that may come at once. Twenty child SAs that are rekeyed together, with additional key exchanges, take sixty.
const BURST: u32 = 100;
/// For each request beyond.
const INTERVAL: Duration = Duration::from_secs(1);

/// A token bucket: what is left for a peer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RateLimit {
    /// When all of [`BURST`] is there again.
    full_at: Option<Instant>,
}

impl RateLimit {
    /// Whether one more change may be asked for. A request that comes too early is not answered: the peer sends it again
    /// (RFC 7296 section 2.1).
    pub(super) fn allows(&self, now: Instant) -> bool {
        self.full_at
            .is_none_or(|full_at| full_at <= now + (BURST - 1) * INTERVAL)
    }

    /// Notes a change.
    pub(super) fn spend(&mut self, now: Instant) {
        self.full_at = Some(self.full_at.unwrap_or(now).max(now) + INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_comes_back_with_time() {
        let start = Instant::now();
        let mut limit = RateLimit::default();
        let mut spend_all = |now| {
            let mut spent = 0;
            while limit.allows(now) {
                limit.spend(now);
                spent += 1;
            }
            spent
        };
        assert_eq!(spend_all(start), BURST);
        assert_eq!(spend_all(start + INTERVAL / 2), 0);
        assert_eq!(spend_all(start + 3 * INTERVAL), 3);
        assert_eq!(spend_all(start + 1000 * INTERVAL), BURST);
    }
}
