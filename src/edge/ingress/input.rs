//! What waits for the responder.

use ike::Path;

use super::notice::Notice;

/// The longest UDP payload that IPv4 can carry, and so the most that is read at once.
pub(crate) const MOST_OCTETS: usize = 65_507;

/// From this edge's sockets and kernel, or from another edge's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A customer's.
    Datagram(Datagram),
    /// A kernel's.
    Notice(Notice),
}

impl Input {
    /// Those it has on the heap.
    pub(crate) fn octets(&self) -> usize {
        match self {
            Self::Datagram(datagram) => datagram.payload.len(),
            Self::Notice(_) => 0,
        }
    }
}

/// A datagram and the way it came, whether here or at another edge.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) path: Path,
    /// The UDP payload.
    pub(crate) payload: Vec<u8>,
}
