//! A list that one thread makes longer while others wait for something to appear in it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};

/// What an instrument has seen so far.
pub struct Record<T> {
    items: Mutex<Vec<T>>,
    grown: Condvar,
}

impl<T> Default for Record<T> {
    fn default() -> Self {
        Self {
            items: Mutex::default(),
            grown: Condvar::new(),
        }
    }
}

impl<T> Record<T> {
    /// Adds one and wakes those who wait.
    pub fn push(&self, item: T) {
        self.lock().push(item);
        self.grown.notify_all();
    }

    /// Waits until `found` finds what it looks for.
    ///
    /// # Errors
    /// It does not within `limit`.
    pub fn wait<R>(&self, limit: Duration, mut found: impl FnMut(&[T]) -> Option<R>) -> Result<R> {
        let mut result = None;
        let waited = self.grown.wait_timeout_while(self.lock(), limit, |items| {
            result = found(items);
            result.is_none()
        });
        drop(waited);
        match result {
            Some(result) => Ok(result),
            None => bail!("not within {limit:?}"),
        }
    }

    /// Everything until now.
    pub fn all(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.lock().clone()
    }

    /// A list is whole after every step, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn a_waiter_sees_what_comes_later() {
        let record = Arc::new(Record::default());
        let writer = record.clone();
        let thread = thread::spawn(move || (1..=3).for_each(|number| writer.push(number)));
        let third = record
            .wait(Duration::from_secs(10), |items| items.get(2).copied())
            .unwrap();
        thread.join().unwrap();
        assert_eq!((third, record.all()), (3, vec![1, 2, 3]));
        assert!(
            record
                .wait(Duration::ZERO, |items| items.get(3).copied())
                .is_err()
        );
    }
}
