//! What edges and operators share and the distributor never has: the fleet key, and what is sealed with it.

#![forbid(unsafe_code)]
#![warn(
    clippy::iter_over_hash_type,
    clippy::unwrap_in_result,
    clippy::wildcard_enum_match_arm
)]

mod fleet_key;
mod seal;

pub use self::fleet_key::{FleetKey, FleetKeyError};
pub use self::seal::{NoRandomness, OVERHEAD, OpenError, Purpose, open, open_record, seal, seal_record};
