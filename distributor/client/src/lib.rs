//! What follows a distributor: an edge, and a distributor that follows another.
//!
//! ```text
//!   connect --> session --> replica --> whoever applies the records
//!                |   ^                               |
//!              lease '----------- applied <----------'
//! ```
//!
//! A [`Subscriber`](session::Subscriber) keeps the session: the connection, the [lease](lease::LeaseGrant) and the
//! [replica](replica::Replica) of the fleet's records. Readers look at the replica when they are woken, and say how far they
//! have applied it. Whose a certificate is ([`Role`]), what to do about a refused one ([`tls_remedy`]) and how often the log
//! may say so ([`RateLimit`]) is the same on both sides of a connection, so the distributor uses these too. The time comes
//! from a [`Clock`].

#![forbid(unsafe_code)]
#![warn(clippy::iter_over_hash_type, clippy::wildcard_enum_match_arm)]
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "a test that does not set the time takes the present"
    )
)]

pub mod backoff;
mod clock;
pub mod connect;
#[cfg(test)]
mod fixtures;
pub mod lease;
mod rate_limit;
pub mod replica;
mod role;
pub mod session;
pub mod state;
mod tls_remedy;

pub use clock::{Clock, SystemClock};
pub use connect::TlsFiles;
pub use rate_limit::{Rate, RateLimit};
pub use role::{Role, RoleError};
pub use tls_remedy::tls_remedy;
