//! What the store holds: one record a key, each of one of five kinds.

mod child_sa;
mod edge;
mod ike_sa;
mod key;
mod record;
mod sealed;
mod tunnel;

pub use child_sa::ChildSa;
pub use edge::Edge;
pub use ike_sa::IkeSa;
pub use key::Key;
pub use record::{Body, Record, Tombstone};
pub use sealed::{Header, Sealed};
pub use tunnel::{Tunnel, TunnelId};
