//! The two ends of a tunnel: the customer's strongSwan ([`charon`] with [`connection`] and [`certificates`]) and our [`fleet`].

pub mod certificates;
pub mod charon;
pub mod connection;
pub mod fleet;
