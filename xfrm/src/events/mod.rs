//! What the kernel tells by itself, before the slow loop sees it.
//!
//! SAs and policies by a socket of our own ([`sa`]), as their messages hold keys; interfaces, routes and addresses by
//! rtnetlink ([`network`], [`addresses`]). None of them changes anything: the agent reconciles, within a [`rate_limit`].

mod addresses;
mod filter;
mod network;
mod notice;
pub(crate) mod rate_limit;
mod sa;
mod subscription;

pub use self::addresses::Addresses;
pub use self::network::{NetworkEvent, NetworkWatcher};
pub use self::notice::Notice;
pub use self::sa::{AboutSa, Event, Events, Moved};
#[cfg(test)]
pub(crate) use self::{addresses::Table, network::parse as parse_network, sa::parse};
