//! Which of all the steps to take.

use std::time::{Duration, Instant};

/// What a person asks `interop/test` for.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Only steps with this in their names.
    pub only: Option<String>,
    /// Nothing that needs the lab.
    pub is_fast: bool,
    /// Everything, at any length.
    pub is_long: bool,
    begun: Instant,
}

impl Choice {
    /// Of a run that began so long ago.
    pub fn new(only: Option<String>, is_fast: bool, is_long: bool, since: Duration) -> Self {
        let now = Instant::now();
        Self {
            only,
            is_fast,
            is_long,
            begun: now.checked_sub(since).unwrap_or(now),
        }
    }

    /// Everything of a usual run.
    pub fn usual() -> Self {
        Self::new(None, false, false, Duration::ZERO)
    }

    /// Whether the step of this name is chosen.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|part| name.contains(part))
    }

    /// When the run began.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_name_will_do() {
        let choice = Choice::new(Some("rekey".to_owned()), false, false, Duration::ZERO);
        assert!(choice.wants("lab: rekey-own"));
        assert!(!choice.wants("lab: nat"));
        assert!(Choice::usual().wants("lab: nat"));
    }
}
