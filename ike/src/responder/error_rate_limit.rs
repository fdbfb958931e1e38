//! How many unprotected errors are answered (RFC 7296 section 2.21.4).

use std::time::{Duration, Instant};

/// In each second. A customer that is set up wrongly tries again every few seconds, so this serves hundreds of them,
/// while a flood with forged addresses finds no echo.
const ERRORS_PER_SECOND: u32 = 200;

/// What is left for the present second.
#[derive(Debug, Default)]
pub(super) struct ErrorRateLimit {
    ends: Option<Instant>,
    spent: u32,
}

impl ErrorRateLimit {
    /// True when one more may be sent.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if self.ends.is_none_or(|ends| ends <= now) {
            self.ends = Some(now + Duration::from_secs(1));
            self.spent = 0;
        }
        self.spent += 1;
        self.spent <= ERRORS_PER_SECOND
    }
}
