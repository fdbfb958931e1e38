//! The distributor: it orders, stores and streams what edges and operators publish.
//!
//! A change goes one way: a service ([`v1::fleet_server`](proto::v1::fleet_server) or
//! [`v1::operator_server`](proto::v1::operator_server)) hands it to the *writer*, whose rules admit or refuse it, and
//! which makes it durable and publishes the next *state*; every edge's *feed* walks that state; the edges' reports
//! complete the *wait* that the service answers after.

#![forbid(unsafe_code)]

mod accept;
mod barrier;
mod clash;
mod config;
mod core;
mod draft;
mod feed;
mod fleet;
mod lease;
mod membership;
#[cfg(test)]
mod properties;
#[cfg(test)]
#[path = "../tests/fleet/support/records.rs"]
mod records;
mod refusal;
mod rivals;
mod rules;
mod server;
mod service_edge;
mod service_operator;
mod session;
mod state;
mod store;
mod tls;
mod tunnels;
mod writer;

pub use config::{Config, CustomerLimits, Limits};
pub use server::{ServeError, Server};
pub use store::StoreError;
pub use tls::TlsError;
