//! What the decoder is tested with: samples, properties, and what must hold for every datagram, fuzzed ones too.

mod exercise;
#[cfg(test)]
mod message;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod samples;

pub(crate) use exercise::exercise;
#[cfg(test)]
pub(super) use message::{message, single, verdict};
