//! How many threads negotiate.

use edge::MOST_THREADS;
use serde::de::{Deserialize, Deserializer, Error};

/// How many processors this machine lets the program have; one when it does not say.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(MOST_THREADS))
}

/// At least one.
pub(super) fn count<'de, D: Deserializer<'de>>(input: D) -> Result<usize, D::Error> {
    match usize::deserialize(input)? {
        count @ 1..=MOST_THREADS => Ok(count),
        count => Err(Error::custom(format!(
            "{count} is out of range; give 1 to {MOST_THREADS}"
        ))),
    }
}
