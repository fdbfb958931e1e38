//! What commands show and `--json` prints, each defined once. The names of the fields are an interface: scripts read them.
//!
//! Secrets are in none of them.

#![forbid(unsafe_code)]
#![warn(
    clippy::iter_over_hash_type,
    clippy::unwrap_in_result,
    clippy::wildcard_enum_match_arm
)]

mod fleet;
mod progress;
mod sa;
mod tunnel;

pub use self::fleet::{EdgeState, EdgeView, FleetView};
pub use self::progress::{FailureView, ProgressView, RevokedView, TunnelChangeView};
pub use self::sa::{ChildSaView, IkeSaView, InstallationView};
pub use self::tunnel::{PpkView, TunnelView};
