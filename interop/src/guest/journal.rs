//! What an instrument has seen so far: its thread writes, scenarios read and wait.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// A list that only grows, shared between threads.
#[derive(Debug)]
pub struct Journal<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    entries: Mutex<Entries<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Entries<T> {
    seen: Vec<T>,
    /// Why there will be no more.
    closed: Option<String>,
}

impl<T> Clone for Journal<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Default for Journal<T> {
    fn default() -> Self {
        let entries = Mutex::new(Entries { seen: Vec::new(), closed: None });
        Self { shared: Arc::new(Shared { entries, changed: Condvar::new() }) }
    }
}

impl<T: Clone> Journal<T> {
    /// Writes an entry.
    pub fn push(&self, entry: T) {
        self.lock().seen.push(entry);
        self.shared.changed.notify_all();
    }

    /// Says that nothing will follow, so that nobody waits for it.
    pub fn close(&self, reason: impl Into<String>) {
        self.lock().closed = Some(reason.into());
        self.shared.changed.notify_all();
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<T> {
        self.lock().seen.clone()
    }

    /// The first entry so far that is `wanted`.
    pub fn first(&self, wanted: impl FnMut(&&T) -> bool) -> Option<T> {
        self.lock().seen.iter().find(wanted).cloned()
    }

    /// The last entry so far that is `wanted`.
    pub fn last(&self, wanted: impl FnMut(&&T) -> bool) -> Option<T> {
        self.lock().seen.iter().rfind(wanted).cloned()
    }

    /// The first entry that is `wanted`, from the beginning of the journal on, waiting for it if it must.
    ///
    /// # Errors
    /// It does not come within `limit`, or nothing comes any more.
    pub fn wait_for(&self, limit: Duration, mut wanted: impl FnMut(&T) -> bool) -> Result<T> {
        let deadline = Instant::now() + limit;
        let mut asked = 0;
        let mut entries = self.lock();
        loop {
            if let Some(found) = entries.seen[asked..].iter().find(|entry| wanted(entry)) {
                return Ok(found.clone());
            }
            asked = entries.seen.len();
            if let Some(reason) = &entries.closed {
                bail!("not among {asked} events, and there will be no more: {reason}");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("not among {asked} events within {limit:?}");
            }
            let woken = self.shared.changed.wait_timeout(entries, left);
            entries = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A panic elsewhere cannot leave the list half written.
    fn lock(&self) -> MutexGuard<'_, Entries<T>> {
        self.shared.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_was_there_before_and_what_comes_later_is_found() {
        let journal = Journal::default();
        journal.push(1);
        assert_eq!(journal.wait_for(LONG, |n| *n == 1).unwrap(), 1);
        let writer = journal.clone();
        let other = thread::spawn(move || (2..=9).for_each(|n| writer.push(n)));
        assert_eq!(journal.wait_for(LONG, |n| *n == 9).unwrap(), 9);
        other.join().unwrap();
        assert_eq!(journal.first(|n| **n > 3), Some(4));
        assert_eq!(journal.last(|n| **n < 3), Some(2));
    }

    #[test]
    fn waiting_ends_with_the_limit_or_the_journal() {
        let journal = Journal::<i32>::default();
        assert!(journal.wait_for(Duration::ZERO, |_| true).is_err());
        journal.close("the program ended");
        let error = journal.wait_for(LONG, |_| true).unwrap_err();
        assert!(error.to_string().contains("the program ended"), "{error}");
    }
}
