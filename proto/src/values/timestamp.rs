//! Moments as they travel.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Invalid;

/// A moment, in milliseconds since 1970 (UTC), up to the end of the year 9999: so that no sum of it with a lifetime
/// can overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    const MAX: u64 = 253_402_300_799_999;

    /// Parses `field` of a message.
    pub(crate) fn parse(field: &str, unix_ms: u64) -> Result<Self, Invalid> {
        if unix_ms > Self::MAX {
            return Err(Invalid::new(field, unix_ms, "is a moment after the year 9999"));
        }
        Ok(Self(unix_ms))
    }

    /// Milliseconds since 1970.
    pub fn unix_ms(self) -> u64 {
        self.0
    }

    /// The moment `duration` later, or the end of the year 9999.
    pub fn after(self, duration: Duration) -> Self {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(milliseconds).min(Self::MAX))
    }

    /// The moment `duration` earlier, or the beginning of 1970.
    pub fn before(self, duration: Duration) -> Self {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(milliseconds))
    }
}

/// Rounds down to the millisecond; a moment before 1970 becomes 1970, one after 9999 its end.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(0).after(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_millis(timestamp.0)
    }
}
