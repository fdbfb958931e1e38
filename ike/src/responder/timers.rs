//! When what is due: one ordered set for all IKE SAs.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

/// At most one deadline for each IKE SA, by responder SPI.
#[derive(Default)]
pub(crate) struct Timers {
    queue: BTreeSet<(Instant, u64)>,
    armed: HashMap<u64, Instant>,
}

impl Timers {
    /// Wakes `spi` at `deadline` at the latest. A deadline that moved ahead leaves the timer where it is, so that
    /// a busy SA does not move it with every message: it fires early, finds nothing due and is armed again.
    pub(crate) fn arm(&mut self, spi: u64, deadline: Option<Instant>) {
        let Some(deadline) = deadline else {
            return self.disarm(spi);
        };
        if self.armed.get(&spi).is_some_and(|&armed| armed <= deadline) {
            return;
        }
        self.disarm(spi);
        self.queue.insert((deadline, spi));
        self.armed.insert(spi, deadline);
    }

    pub(crate) fn disarm(&mut self, spi: u64) {
        if let Some(armed) = self.armed.remove(&spi) {
            self.queue.remove(&(armed, spi));
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|&(deadline, _)| deadline)
    }

    /// Takes out one SPI whose deadline has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<u64> {
        let &(deadline, spi) = self.queue.first()?;
        if deadline > now {
            return None;
        }
        self.disarm(spi);
        Some(spi)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn fires_in_order_and_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        timers.arm(1, Some(at(3)));
        timers.arm(2, Some(at(1)));
        timers.arm(3, Some(at(2)));
        timers.disarm(3);
        assert_eq!(timers.next(), Some(at(1)));
        assert_eq!(timers.pop_due(at(0)), None);
        assert_eq!(timers.pop_due(at(5)), Some(2));
        assert_eq!(timers.pop_due(at(5)), Some(1));
        assert_eq!(timers.pop_due(at(5)), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn an_earlier_deadline_moves_the_timer_and_a_later_one_does_not() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        timers.arm(1, Some(at(5)));
        timers.arm(1, Some(at(9)));
        assert_eq!(timers.next(), Some(at(5)));
        timers.arm(1, Some(at(2)));
        assert_eq!(timers.next(), Some(at(2)));
        timers.arm(1, None);
        assert_eq!(timers.next(), None);
    }
}
