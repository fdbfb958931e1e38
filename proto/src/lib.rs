//! The fleet's one schema, and its conversion to domain types.
//!
//! [`v1`] is generated from `proto/anyswan/v1/fleet.proto`: what travels. Everything else here is what the programs
//! work with: a domain type can only hold what the schema's rules allow, so whoever has one need not check again.
//! Wire to domain is `TryFrom` and fails with [`Invalid`]; domain to wire is `From` and cannot fail.

#![forbid(unsafe_code)]

mod distinguished_name;
mod gateway;
mod identity;
mod invalid;
pub mod limits;
mod name;
mod records;
mod secrets;
mod selector;
mod session;
mod slot;
mod suite;
mod values;

pub use gateway::Gateway;
pub use identity::Identity;
pub use invalid::Invalid;
pub use name::{InterfaceName, Name, NetnsName};
pub use records::{
    Body, ChildSa, Edge, Header, IkeSa, IkeSpis, Key, Record, Sealed, Tombstone, Tunnel, TunnelId,
};
pub use secrets::{AuthMethod, ChildSaKeys, Ppk, PpkId, TunnelCertificates, TunnelSecrets};
pub use selector::TrafficSelector;
pub use session::{
    Applied, Change, Commit, Delta, Failure, FromDistributor, Heartbeat, Hello, Lease, Resume, ToDistributor,
};
pub use slot::{InboundSpi, Slot};
pub use suite::{EspSuite, Integrity};
pub use values::{Timestamp, TunnelSelector, address_octets};

/// The messages and services of `fleet.proto`, as generated.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod v1 {
    tonic::include_proto!("anyswan.v1");
}
