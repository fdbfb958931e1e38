//! Peers that mean harm.

pub(crate) mod flood;
pub(crate) mod garbage;
