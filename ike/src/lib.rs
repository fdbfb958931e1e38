//! A sans-IO IKEv2 responder (RFC 7296) for a fleet of servers that share one address.
//!
//! Nothing here opens a socket, reads a clock, starts a task or draws a random number of its own. The caller
//! puts datagrams, time-outs and the ends of commits into a [`Responder`] with its `handle_*` methods, and
//! takes datagrams, commits, events and the next time-out out of it with its `poll_*` methods.
//!
//! What sets it apart from a responder with two fixed ends is the [`Commit`]: a reply that would make the peer
//! use (or drop) an SA is held until the caller says that the whole fleet is ready for it.

mod api;
// Both are complete before the responder uses all of them.
#[allow(dead_code, unused_imports)]
mod crypto;
mod secret;
#[allow(dead_code, unused_imports)]
mod wire;

pub use api::*;
pub use crypto::{DhGroup, IkeCipher, IkeSuite, Prf};
pub use secret::Secret;
