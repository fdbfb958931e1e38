//! The program from outside: a real distributor process, real gRPC over mutual TLS, and the commands that operators
//! type. Edges are played by the test, so no kernel is needed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod build;
mod daemons;
mod edge;
mod hub;
mod pki;
mod program;
mod sas;
mod tunnels;
