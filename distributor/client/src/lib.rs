//! What follows a distributor: an edge, and a distributor that follows another.
//!
//! ```text
//!            connect -> session -> replica ---> whoever applies the records
//!                        |   ^                          |
//!                      lease '------- installed <-------'
//! ```
//!
//! A [`session`](session::Link) keeps the connection, the [lease](lease::Tenure) and the [replica](replica::Replica) of the
//! fleet's records; its readers look at the replica when they are woken, and say how far they have applied it. Who a
//! certificate belongs to ([`Role`]), what to do about a refused one ([`tls_remedy`]) and how often the log may say so
//! ([`Throttle`]) is the same on both sides of a connection, so the distributor uses these too.

#![forbid(unsafe_code)]

pub mod backoff;
mod clock;
pub mod connect;
#[cfg(test)]
mod fixtures;
pub mod lease;
pub mod replica;
mod role;
pub mod session;
pub mod state;
mod throttle;
mod tls_remedy;

pub use clock::{Clock, SystemClock};
pub use connect::TlsFiles;
pub use role::{Role, RoleError};
pub use throttle::Throttle;
pub use tls_remedy::tls_remedy;
