//! The path between customer and fleet: NAT, ports, addresses, and a network that sprays packets.

pub(crate) mod moves;
pub(crate) mod nat;
pub(crate) mod port_move;
pub(crate) mod spray;
