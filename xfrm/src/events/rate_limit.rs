//! When to reconcile because of events. Pure: no clock.

use std::time::{Duration, Instant};

/// What happens together is handled together.
const GATHER: Duration = Duration::from_millis(10);

/// What a pass is worth at least: on average there is no more than one in this time. With another program that undoes our
/// work again and again, that is the whole cost.
const INTERVAL: Duration = Duration::from_secs(1);

/// So many passes can be saved up, for what happens only now and then.
const BURST: u32 = 10;

/// Where a pass takes long, it is worth so many times as much: on average, passes take no more than this part of the time.
const SHARE: u32 = 20;

/// A generic cell rate algorithm: each pass moves `paid_until` ahead by what it is worth.
#[derive(Default)]
pub(crate) struct RateLimit {
    /// When the first event came that no pass has dealt with.
    requested: Option<Instant>,
    /// With what the last pass was worth.
    paid_until: Option<(Instant, Duration)>,
}

impl RateLimit {
    /// Something of ours may have changed.
    pub(crate) fn request(&mut self, now: Instant) {
        self.requested.get_or_insert(now);
    }

    /// When the next pass is due, if one is.
    pub(crate) fn due(&self) -> Option<Instant> {
        let soon = self.requested? + GATHER;
        let allowed = self
            .paid_until
            .and_then(|(until, worth)| until.checked_sub(BURST * worth));
        Some(allowed.map_or(soon, |allowed| allowed.max(soon)))
    }

    /// A pass begins, which deals with all that was requested. True if anything was.
    pub(crate) fn begin(&mut self) -> bool {
        self.requested.take().is_some()
    }

    /// A pass that was requested has ended.
    pub(crate) fn charge(&mut self, began: Instant, ended: Instant) {
        let worth = INTERVAL.max(SHARE * ended.duration_since(began));
        let from = self.paid_until.map_or(began, |(until, _)| until.max(began));
        self.paid_until = Some((from + worth, worth));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes within `time` when there is an event after each; each takes `pass`.
    fn passes(pass: Duration, time: Duration) -> u32 {
        let start = Instant::now();
        let (mut now, mut passes, mut limit) = (start, 0, RateLimit::default());
        limit.request(now);
        while let Some(due) = limit.due()
            && due < start + time
        {
            now = now.max(due);
            assert!(limit.begin());
            limit.charge(now, now + pass);
            now += pass;
            limit.request(now);
            passes += 1;
        }
        passes
    }

    #[test]
    fn nothing_is_due_without_an_event() {
        let mut limit = RateLimit::default();
        assert_eq!(limit.due(), None);
        assert!(!limit.begin());
    }

    #[test]
    fn events_at_one_time_share_a_pass() {
        let (now, mut limit) = (Instant::now(), RateLimit::default());
        limit.request(now);
        limit.request(now + GATHER / 2);
        assert_eq!(limit.due(), Some(now + GATHER));
        assert!(limit.begin());
        assert_eq!(limit.due(), None);
    }

    #[test]
    fn another_program_that_never_gives_up_costs_a_pass_a_second() {
        assert_eq!(passes(Duration::ZERO, GATHER * 20), BURST + 1);
        let minute = passes(Duration::ZERO, Duration::from_secs(60));
        assert!((60..=60 + BURST + 1).contains(&minute), "{minute}");
    }

    #[test]
    fn long_passes_take_a_twentieth_of_the_time() {
        let pass = Duration::from_millis(500);
        let passes = passes(pass, Duration::from_secs(600));
        assert!((60..=60 + BURST + 1).contains(&passes), "{passes}");
    }

    #[test]
    fn an_event_after_a_quiet_time_is_dealt_with_at_once() {
        let (start, mut limit) = (Instant::now(), RateLimit::default());
        for _ in 0..100 {
            limit.request(start);
            limit.begin();
            limit.charge(start, start);
        }
        let later = start + 100 * INTERVAL;
        limit.request(later);
        assert_eq!(limit.due(), Some(later + GATHER));
    }
}
