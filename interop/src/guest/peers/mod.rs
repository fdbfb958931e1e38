//! The two ends of a tunnel: the customer's strongSwan ([`charon`] with [`connection`] and [`certificates`]) our [`fleet`], and
//! the [`tunnel`] between them.

pub mod certificates;
pub mod charon;
pub mod connection;
pub mod fleet;
pub mod tunnel;
