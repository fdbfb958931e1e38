//! How often something may happen: token buckets, on the time that the caller brings.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How many at once, and how many after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens of a full bucket, at least 1.
    pub burst: u32,
    /// After each of these there is one token more.
    pub interval: Duration,
}

/// A line a minute.
const LOG_RATE: Rate = Rate {
    burst: 1,
    interval: Duration::from_secs(60),
};

/// Kinds and peers whose lines are counted at once: a peer that makes up addresses gets that many lines a minute, and no
/// memory beyond them.
const LOG_KEYS: usize = 1024;

/// How often a full memory is looked through, since a flood would come to that with every event.
const SWEEP: Duration = Duration::from_secs(1);

/// A token bucket for each key.
#[derive(Debug)]
pub struct RateLimit<K> {
    rate: Rate,
    /// Buckets that are remembered at once.
    capacity: usize,
    buckets: BTreeMap<K, Bucket>,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Bucket {
    /// It has all its tokens from then on: each that is taken moves this by an interval.
    full_at: Instant,
    /// Since the last token was taken.
    refused: u64,
}

impl<K: Ord> RateLimit<K> {
    /// Every bucket is full. A full one need not be remembered; when `capacity` of them are not, events with another key are
    /// refused.
    pub fn new(rate: Rate, capacity: usize) -> Self {
        Self {
            rate,
            capacity,
            buckets: BTreeMap::new(),
            swept: None,
        }
    }

    /// Lets one log line of a key through in a minute, so that no peer can flood the log.
    pub fn of_log_lines() -> Self {
        Self::new(LOG_RATE, LOG_KEYS)
    }

    /// `Some` when the event may take place: with the number of those with its key that were refused before it.
    pub fn admit(&mut self, key: K, now: Instant) -> Option<u64> {
        if !self.buckets.contains_key(&key) && self.buckets.len() >= self.capacity {
            self.sweep(now);
            if self.buckets.len() >= self.capacity {
                return None;
            }
        }
        let bucket = self.buckets.entry(key).or_insert(Bucket {
            full_at: now,
            refused: 0,
        });
        let full_at = bucket.full_at.max(now) + self.rate.interval;
        if full_at > now + self.rate.interval * self.rate.burst {
            bucket.refused += 1;
            return None;
        }
        bucket.full_at = full_at;
        Some(std::mem::take(&mut bucket.refused))
    }

    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now < swept + SWEEP) {
            return;
        }
        self.swept = Some(now);
        self.buckets.retain(|_, bucket| now < bucket.full_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = LOG_RATE.interval;

    #[test]
    fn one_line_a_minute_and_the_count_of_the_others() {
        let start = Instant::now();
        let mut limit = RateLimit::of_log_lines();
        assert_eq!(limit.admit("wrong key", start), Some(0));
        for _ in 0..7 {
            assert_eq!(limit.admit("wrong key", start + Duration::from_secs(59)), None);
        }
        assert_eq!(
            limit.admit("malformed", start),
            Some(0),
            "another kind is not held back"
        );
        assert_eq!(limit.admit("wrong key", start + INTERVAL), Some(7));
        assert_eq!(limit.admit("wrong key", start + 2 * INTERVAL), Some(0));
    }

    #[test]
    fn a_flood_of_peers_fills_no_memory_and_ends() {
        let start = Instant::now();
        let mut limit = RateLimit::of_log_lines();
        let admitted = (0..100_000)
            .filter(|peer| limit.admit(*peer, start).is_some())
            .count();
        assert_eq!(admitted, LOG_KEYS);
        assert_eq!(limit.buckets.len(), LOG_KEYS);

        let later = start + INTERVAL;
        assert_eq!(limit.admit(100_000, later), Some(0), "old entries make room");
    }

    #[test]
    fn a_key_gets_a_burst_and_then_one_each_interval() {
        let rate = Rate {
            burst: 4,
            interval: Duration::from_secs(2),
        };
        let mut limit = RateLimit::new(rate, usize::MAX);
        let start = Instant::now();
        let mut admitted = |now| (0..10).filter(|_| limit.admit("acme", now).is_some()).count();
        assert_eq!(admitted(start), 4);
        assert_eq!(admitted(start + rate.interval - Duration::from_millis(1)), 0);
        assert_eq!(admitted(start + rate.interval), 1);
        assert_eq!(admitted(start + rate.interval * 3), 2);
        assert_eq!(
            admitted(start + rate.interval * 100),
            4,
            "never more than a burst"
        );
    }
}
