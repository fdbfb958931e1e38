//! What every edge of a fleet makes alike, from what all of them know: SPIs that name their edge, tokens of QUICK CRASH
//! DETECTION, and the tunnels that peers authenticate for.

pub(crate) mod qcd;
pub(crate) mod shard;
pub(crate) mod spi;
pub(crate) mod tunnels;
