//! A message on its way through the responder.

use std::time::Instant;

use crate::Path;
use crate::wire::Message;

/// A datagram from the peer, its header and payloads decoded.
#[derive(Clone, Copy)]
pub(crate) struct Arrived<'a> {
    pub(crate) now: Instant,
    pub(crate) path: Path,
    pub(crate) message: &'a Message<'a>,
    /// The whole message without non-ESP marker.
    pub(crate) octets: &'a [u8],
}
