//! A sans-IO IKEv2 responder (RFC 7296) for a fleet of servers that share one address.
//!
//! Nothing here opens a socket, reads a clock, starts a task or draws a random number of its own. The caller
//! puts datagrams, time-outs and the ends of commits into a [`Responder`] with its `handle_*` methods, and
//! takes datagrams, commits, events and the next time-out out of it with its `poll_*` methods. The one exception is the
//! randomness inside of signatures and of key encapsulation, which the library that makes them draws itself.
//!
//! What sets it apart from a responder with two fixed ends is the [`Commit`]: a reply that would make the peer
//! use (or drop) an SA is held until the caller says that the whole fleet is ready for it.
//!
//! A datagram's way: `responder` finds out whose it is; `wire` decodes it; `init` and `auth` make an IKE SA of
//! IKE_SA_INIT and IKE_AUTH, with `select`, `narrow`, `nat` and `child` for what is agreed on; `established` answers
//! whatever comes later, as `window` allows, asks questions of its own, and replaces SAs before they are too old
//! (`children`, `exchange`). `snapshot` is what other edges need to go on with an IKE SA. What is to be sent, committed or logged collects in `outbox`.

#![forbid(unsafe_code)]

mod api;
mod certificate;
mod crypto;
mod fleet;
mod handshake;
mod ike_sa;
mod message;
mod negotiation;
mod responder;
#[cfg(any(test, fuzzing, feature = "testkit"))]
pub mod testkit;
mod wire;

pub use api::events::{Dropped, Ending, Event, Side, What};
pub use api::refusals::{AuthRefusal, ChildRefusal, InitRefusal, NoChild};
pub use api::*;
pub use certificate::{CertificateFault, Certificates, CredentialError};
pub use crypto::{DhError, DhGroup, DhKeyPair, IkePolicy, IkeSuite, Kem, Prf};
pub use fleet::shard::Shard;
pub use fleet::spi::{Route, Router};
pub use ike_sa::state::snapshot::RestoreError;
pub use ike_types::{
    Cipher, EspSuite, Gateway, Identity, IkeSpis, Integrity, Path, PpkId, Secret, Slot, TrafficSelector,
    Transmit,
};
pub use negotiation::weak::Weak;
pub use responder::{Responder, Shared};

/// The entry points of the fuzz targets in `ike/fuzz`.
#[cfg(fuzzing)]
pub mod fuzzing {
    /// Decodes an arbitrary datagram.
    pub fn decode(datagram: &[u8]) {
        crate::wire::exercise(datagram);
    }

    /// Plays a script of datagrams, time and news of the fleet, with a peer that has the keys of its IKE SA.
    pub fn exchange(script: &[u8]) {
        crate::testkit::exercise::exercise(script);
    }
}
