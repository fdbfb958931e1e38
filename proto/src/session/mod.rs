//! What an edge and the distributor say to each other.

mod change;
mod report;
mod sync;

pub use change::{Change, Commit};
pub use report::{Applied, Failure};
pub use sync::{Delta, FromDistributor, Heartbeat, Hello, Lease, Resume, ToDistributor};
