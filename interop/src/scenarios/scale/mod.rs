//! Many tunnels at once, and tunnels that must not meet.

pub(crate) mod crowd;
pub(crate) mod same_prefix;
