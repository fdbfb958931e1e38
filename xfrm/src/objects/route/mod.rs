//! Routes into tunnels.

pub(crate) mod codec;
