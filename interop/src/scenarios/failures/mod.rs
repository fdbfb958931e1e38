//! Something dies, or is taken away.

pub(crate) mod daemon_restart;
pub(crate) mod distributor_restart;
pub(crate) mod kernel_refusal;
pub(crate) mod lone_charon;
pub(crate) mod lost_store;
pub(crate) mod repair;
