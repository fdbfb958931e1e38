//! Delete (RFC 7296 section 3.11).

use super::Protocol;

/// What the sender has deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delete {
    /// The IKE SA that protects the message.
    Ike,
    /// Child SAs, by the SPIs the sender receives on.
    Child { protocol: Protocol, spis: Vec<u32> },
}
