//! The fleet's one schema, and its conversion to domain types.
//!
//! [`v1`] is generated from `proto/anyswan/v1/fleet.proto`: what travels. Everything else here is what the programs
//! work with: what is read from the wire has been held against the schema's rules, so whoever has it need not check again.
//! Wire to domain is `TryFrom` and fails with [`Invalid`]; domain to wire is `From` and cannot fail. The vocabulary is that
//! of `ike-types`, which the responder speaks too.

#![forbid(unsafe_code)]
#![warn(
    clippy::wildcard_enum_match_arm,
    reason = "a new variant is to be thought of wherever the old ones are told apart"
)]
#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        reason = "what others sent is hostile until parsed: no panic, and no number that is cut"
    )
)]

mod fields;
pub mod limits;
mod records;
mod secrets;
mod session;
#[cfg(feature = "testkit")]
pub mod testkit;
mod values;

pub use ike_types::{
    Cipher, EspSuite, Gateway, Identity, IkeSpis, InboundSpi, Integrity, InterfaceName, Invalid, Name,
    NetnsName, PpkId, Secret, Slot, TrafficSelector,
};
pub use records::{Body, ChildSa, Edge, Header, IkeSa, Key, Record, Sealed, Tombstone, Tunnel, TunnelId};
pub use secrets::{AuthMethod, ChildSaKeys, Ppk, TunnelCertificates, TunnelSecrets};
pub use session::{
    Applied, Change, Commit, Delta, Failure, FromDistributor, Heartbeat, Hello, Lease, Resume, ToDistributor,
};
pub use values::{Timestamp, TunnelSelector, address_octets};

/// The messages and services of `fleet.proto`, as generated.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "nobody wrote it"
)]
pub mod v1 {
    tonic::include_proto!("anyswan.v1");
}
