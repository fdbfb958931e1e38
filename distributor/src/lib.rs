//! The distributor: it orders, stores and streams what edges and operators publish.
//!
//! ```text
//!   server --> grpc --> rules --> log --> store (an engine)
//!               |                  |
//!               '----> fleet <-----'
//! ```
//!
//! A change goes one way: a service in `grpc` ([`v1::fleet_server`](proto::v1::fleet_server) or
//! [`v1::operator_server`](proto::v1::operator_server)) hands a rule to the writer of the `log`. The rule makes a transaction
//! on the newest state or refuses; the writer commits it to the store and publishes the next state. Every edge's feed walks
//! that state, and the edges' reports complete the wait, kept in `fleet` beside the leases, that the service answers after.

#![forbid(unsafe_code)]
#![warn(clippy::iter_over_hash_type, clippy::wildcard_enum_match_arm)]
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "a test that does not set the time takes the present"
    )
)]

mod config;
mod fleet;
mod grpc;
mod log;
#[cfg(test)]
mod properties;
mod rules;
mod server;
mod sweeper;

pub use config::{Config, CustomerLimits, Limits};
pub use grpc::tls::TlsError;
pub use log::store::StoreError;
pub use server::{ServeError, Server};
