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
//! A datagram's way: `responder` finds out whose it is; `wire` decodes it, and `message` opens what is protected in it. `handshake`
//! makes an IKE SA of IKE_SA_INIT and IKE_AUTH; `ike_sa` answers whatever comes later, asks questions of its own, and replaces SAs
//! before they are too old. What both agree on stands in `negotiation`, and what all edges of a fleet make alike in `fleet`.
//! Modules import those that stand before them in this list, and no others: `crypto` and `wire`, `certificate`, `api`, `message`,
//! `negotiation`, `fleet`, `ike_sa`, `handshake`, `responder`.
//!
//! # Example
//!
//! A responder for one customer, which connects. In earnest, datagrams come from a socket, the end of a commit from the fleet, and
//! randomness and time from a [`Host`] of the system; here the `testkit` has the customer and a host.
//!
#![cfg_attr(feature = "testkit", doc = "```")]
#![cfg_attr(not(feature = "testkit"), doc = "```text")]
//! use std::time::Instant;
//!
//! use ike::testkit::{Customer, Initiator, Status, TestHost};
//! use ike::{Change, CommitOutcome, Config, Path, Responder, Secret, Slot};
//!
//! let slot = Slot::new(5).expect("from 1 to 1023");
//! let config = Config::new(slot, 1, Secret::new(vec![7; 32]));
//! let mut responder = Responder::new(config, Box::new(TestHost::new(1)));
//!
//! let now = Instant::now();
//! let customer = Customer::new(1);
//! responder.handle_tunnel(now, customer.tunnel());
//!
//! let mut initiator = Initiator::new(customer, 2);
//! let mut from_customer = Some(initiator.start());
//! while let Some(sent) = from_customer.take() {
//!     let path = Path { local: sent.path.peer, peer: sent.path.local };
//!     responder.handle_datagram(now, path, &sent.payload);
//!     // What the fleet has to know before the answer may leave: here the fleet is one edge.
//!     while let Some(commit) = responder.poll_commit() {
//!         assert!(commit.changes.iter().any(|change| matches!(change, Change::PutChild(_))));
//!         responder.handle_commit(now, commit.id, CommitOutcome::Done);
//!     }
//!     while let Some(answer) = responder.poll_transmit() {
//!         from_customer = initiator.handle_datagram(&answer.payload);
//!     }
//!     while let Some(event) = responder.poll_event() {
//!         println!("{}: {}", event.path.peer, event.what);
//!     }
//! }
//! assert_eq!(initiator.status(), Status::Up);
//! // Until then there is nothing to do, unless a datagram comes.
//! assert!(responder.poll_timeout().is_some_and(|timeout| timeout > now));
//! ```

#![forbid(unsafe_code)]
// What happens depends on what the caller says alone, so that a test can repeat it: see clippy.toml.
#![deny(clippy::disallowed_methods, clippy::iter_over_hash_type)]
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::iter_over_hash_type,
        reason = "a test looks at all there is"
    )
)]

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
pub use api::weak::Weak;
pub use api::*;
pub use certificate::{CertificateFault, Certificates, CredentialError};
pub use crypto::{DhError, DhGroup, DhKeyPair, IkePolicy, IkeSuite, Kem, Prf};
pub use fleet::shard::Shard;
pub use fleet::spi::{Route, Router};
pub use ike_sa::state::snapshot::RestoreError;
pub use ike_types::{
    Cipher, EspSuite, Gateway, Identity, IkeSpis, Integrity, Path, PpkId, Secret, Slot, Source,
    TrafficSelector, Transmit,
};
pub use responder::{Class, FAIR_QUEUE_OCTETS, FairQueue, MAX_INIT_DATAGRAM, Responder, Shared};

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
