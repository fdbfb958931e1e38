//! A datagram from a customer, on its way to the responder.

use ike::Path;

/// The longest UDP payload that IPv4 can carry, and so the most that is read at once.
pub(crate) const MOST_OCTETS: usize = 65_507;

/// Datagrams that wait for the responder. When there are more, they are dropped: the customer sends again.
pub(crate) const QUEUE: usize = 1024;

/// A datagram and the way it came, whether here or at another edge.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) path: Path,
    /// The UDP payload.
    pub(crate) payload: Vec<u8>,
}
