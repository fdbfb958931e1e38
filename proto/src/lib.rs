//! The fleet's one schema, and its conversion to domain types.
//!
//! [`v1`] is generated from `proto/anyswan/v1/fleet.proto`: what travels. Everything else here is what the programs
//! work with: a domain type can only hold what the schema's rules allow, so whoever has one need not check again.
//! Wire to domain is `TryFrom` and fails with [`Invalid`]; domain to wire is `From` and cannot fail.

#![forbid(unsafe_code)]

mod change;
mod child_sa;
mod credentials;
mod distinguished_name;
mod edge;
mod endpoint;
mod gateway;
mod identity;
mod ike_sa;
mod invalid;
mod key;
mod keys;
pub mod limits;
mod name;
mod ppk;
mod record;
mod report;
mod sealed;
mod selector;
mod slot;
mod suite;
mod sync;
mod timestamp;
mod tunnel;
mod tunnel_selector;

pub use change::{Change, Commit};
pub use child_sa::{ChildSa, IkeSpis};
pub use credentials::{AuthMethod, TunnelCertificates};
pub use edge::Edge;
pub use endpoint::address_octets;
pub use gateway::Gateway;
pub use identity::Identity;
pub use ike_sa::IkeSa;
pub use invalid::Invalid;
pub use key::Key;
pub use keys::ChildSaKeys;
pub use name::{InterfaceName, Name, NetnsName};
pub use ppk::{Ppk, PpkId, TunnelSecrets};
pub use record::{Body, Record, Tombstone};
pub use report::{Applied, Failure};
pub use sealed::{Header, Sealed};
pub use selector::TrafficSelector;
pub use slot::{InboundSpi, Slot};
pub use suite::{EspSuite, Integrity};
pub use sync::{Delta, FromDistributor, Heartbeat, Hello, Lease, Resume, ToDistributor};
pub use timestamp::Timestamp;
pub use tunnel::{Tunnel, TunnelId};
pub use tunnel_selector::TunnelSelector;

/// The messages and services of `fleet.proto`, as generated.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod v1 {
    tonic::include_proto!("anyswan.v1");
}
