//! What every edge of a fleet makes alike, from what all of them know: SPIs that name their edge, tokens of QUICK CRASH
//! DETECTION, and the tunnels that peers authenticate for.

#![cfg_attr(
    not(test),
    deny(
        clippy::wildcard_enum_match_arm,
        reason = "who adds a state or an event is to be asked everywhere what follows from it"
    )
)]

pub(crate) mod child_spis;
pub(crate) mod qcd;
pub(crate) mod shard;
pub(crate) mod spi;
pub(crate) mod tunnels;
