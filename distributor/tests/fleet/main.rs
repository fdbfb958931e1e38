//! The distributor as its callers see it: a real server on loopback, over mutual TLS, with edges and operators that
//! speak the real protocol.

#![allow(clippy::disallowed_methods, reason = "real time is what these run in")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod barrier;
mod operator;
mod rekey;
mod session;
mod support;
