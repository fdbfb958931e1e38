//! The distributor as its callers see it: a real server on loopback, over mutual TLS, with edges and operators that
//! speak the real protocol.

mod barrier;
mod support;
