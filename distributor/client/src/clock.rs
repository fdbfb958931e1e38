//! The time, as whoever runs this gives it. Nothing else here looks at a clock, so that a test can say what time it is.

use std::fmt;
use std::time::{Instant, SystemTime};

/// Where the time comes from.
pub trait Clock: fmt::Debug + Send + Sync {
    /// For leases, deadlines and rates: it never jumps.
    fn monotonic(&self) -> Instant;

    /// For what is written down and compared on other machines.
    fn wall(&self) -> SystemTime;
}

/// The system's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[allow(clippy::disallowed_methods, reason = "the clock that everybody else is given")]
impl Clock for SystemClock {
    fn monotonic(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}
