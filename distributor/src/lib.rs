//! The distributor: it orders, stores and streams what edges and operators publish.
//!
//! A change goes one way: a service ([`v1::fleet_server`](proto::v1::fleet_server) or
//! [`v1::operator_server`](proto::v1::operator_server)) hands it to the *writer*, whose rules admit or refuse it, and
//! which makes it durable and publishes the next *state*; every edge's *feed* walks that state; the edges' reports
//! complete the *wait* that the service answers after.

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
