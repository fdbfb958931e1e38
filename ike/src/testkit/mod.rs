//! The other side, for tests and benchmarks: a customer's router and a fleet of one, as sans-IO as the responder.
//!
//! Not for use outside of tests: its random numbers are anything but random.

mod customer;
#[cfg(any(test, fuzzing))]
pub(crate) mod exercise;
mod fleet;
#[cfg(test)]
mod found;
mod host;
mod initiator;
mod session;

pub use customer::{Customer, Esn};
pub use fleet::TestFleet;
pub use host::{TestHost, TestRandom, UNIX_TIME};
pub use initiator::{Initiator, Status};
#[cfg(test)]
pub(crate) use session::Opened;
