//! Pauses between attempts: short at first, so that a restarted distributor is found at once, and different at each edge, so
//! that a fleet does not come back in one moment.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// Doubles the pause with every failure.
#[derive(Debug)]
pub struct Backoff {
    ceiling: Duration,
}

/// Starts short.
impl Default for Backoff {
    fn default() -> Self {
        Self { ceiling: SHORTEST }
    }
}

impl Backoff {
    /// The next pause: between half of the present length and all of it.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.ceiling / 2 + self.ceiling.mul_f64(random_fraction() / 2.0);
        self.ceiling = (self.ceiling * 2).min(LONGEST);
        pause
    }

    /// The pause after something that ended again: it starts short if that had lasted for a while.
    pub fn after(&mut self, lasted: Duration) -> Duration {
        if lasted > LONGEST {
            self.ceiling = SHORTEST;
        }
        self.next_pause()
    }
}

/// 0 to 1. If the random number generator fails, edges pause alike, which is a matter of load and not of safety.
fn random_fraction() -> f64 {
    let mut octet = [u8::MAX];
    let _ = SystemRandom::new().fill(&mut octet);
    f64::from(octet[0]) / f64::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_a_second_and_starts_again_after_something_that_lasted() {
        let mut backoff = Backoff::default();
        for longest in [50, 100, 200, 400, 800, 1000, 1000] {
            let longest = Duration::from_millis(longest);
            let pause = backoff.next_pause();
            assert!(
                (longest / 2..=longest).contains(&pause),
                "{pause:?} of {longest:?}"
            );
        }
        assert!(
            backoff.after(LONGEST) > SHORTEST,
            "what ends at once does not come back at once for ever"
        );
        assert!(backoff.after(LONGEST * 2) <= SHORTEST);
    }
}
