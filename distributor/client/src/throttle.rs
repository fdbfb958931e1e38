//! Lets one log line of a kind and peer through in a minute, so that no peer can flood the log.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(60);

/// Pairs of kind and peer that are remembered at once. When there are more, lines wait until some are forgotten: a
/// peer that makes up addresses gets that many lines a minute, and no memory beyond them.
const MOST: usize = 1024;

/// Remembers what was said lately.
pub struct Throttle<K> {
    said: HashMap<K, Said>,
    swept: Instant,
}

struct Said {
    at: Instant,
    /// Lines that were kept back since.
    withheld: u64,
}

impl<K: Hash + Eq> Throttle<K> {
    /// Nothing has been said before `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            said: HashMap::new(),
            swept: now,
        }
    }

    /// `Some` when the line may be written: with the number of its like that were kept back before it.
    pub fn admit(&mut self, key: K, now: Instant) -> Option<u64> {
        if let Some(said) = self.said.get_mut(&key) {
            if now < said.at + INTERVAL {
                said.withheld += 1;
                return None;
            }
            let withheld = said.withheld;
            *said = Said { at: now, withheld: 0 };
            return Some(withheld);
        }
        if self.said.len() == MOST {
            self.sweep(now);
        }
        if self.said.len() == MOST {
            return None;
        }
        self.said.insert(key, Said { at: now, withheld: 0 });
        Some(0)
    }

    /// Forgets what is old. Once in a second at most, since a flood would come here with every line.
    fn sweep(&mut self, now: Instant) {
        if now < self.swept + Duration::from_secs(1) {
            return;
        }
        self.swept = now;
        self.said.retain(|_, said| now < said.at + INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_and_the_count_of_the_others() {
        let start = Instant::now();
        let mut throttle = Throttle::new(start);
        assert_eq!(throttle.admit("wrong key", start), Some(0));
        for _ in 0..7 {
            assert_eq!(throttle.admit("wrong key", start + Duration::from_secs(59)), None);
        }
        assert_eq!(
            throttle.admit("malformed", start),
            Some(0),
            "another kind is not held back"
        );
        assert_eq!(throttle.admit("wrong key", start + INTERVAL), Some(7));
        assert_eq!(throttle.admit("wrong key", start + 2 * INTERVAL), Some(0));
    }

    #[test]
    fn a_flood_of_peers_fills_no_memory_and_ends() {
        let start = Instant::now();
        let mut throttle = Throttle::new(start);
        let admitted = (0..100_000)
            .filter(|peer| throttle.admit(*peer, start).is_some())
            .count();
        assert_eq!(admitted, MOST);
        assert_eq!(throttle.said.len(), MOST);

        let later = start + INTERVAL;
        assert_eq!(throttle.admit(100_000, later), Some(0), "old entries make room");
    }
}
