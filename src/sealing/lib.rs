//! What edges and operators share and the distributor never has: the fleet key, and what is sealed with it.

#![forbid(unsafe_code)]

mod fleet_key;
mod seal;

pub use self::fleet_key::{FleetKey, FleetKeyError};
pub use self::seal::{NoRandomness, OVERHEAD, OpenError, Purpose, open, open_record, seal, seal_record};
