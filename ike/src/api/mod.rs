//! What the responder and its caller say to each other.

#![cfg_attr(
    not(test),
    deny(
        clippy::wildcard_enum_match_arm,
        reason = "who adds a state or an event is to be asked everywhere what follows from it"
    )
)]

mod commit;
mod config;
pub(crate) mod events;
mod host;
pub(crate) mod mismatch;
pub(crate) mod refusals;
pub(crate) mod weak;

pub use commit::{Change, ChildSa, ChildUpdate, Commit, CommitId, CommitOutcome, IkeSa};
pub use config::{Config, Credentials, Limits, Ppk, Tunnel};
pub use host::Host;
pub use mismatch::Mismatch;
