//! Values that fields hold, and how they travel.

pub(crate) mod endpoint;
mod identity;
mod selector;
mod timestamp;
mod tunnel_selector;

pub use endpoint::address_octets;
pub use timestamp::Timestamp;
pub use tunnel_selector::TunnelSelector;
