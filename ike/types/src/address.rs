//! Where datagrams come from and go to.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The addresses a datagram travelled between. The local port, 500 or 4500, decides whether the non-ESP marker
/// (RFC 3948 section 2.2) precedes the IKE header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Path {
    /// The anycast address and port that the peer sent to.
    pub local: SocketAddr,
    /// The peer's address and port as the edge saw them.
    pub peer: SocketAddr,
}

/// A datagram to send, the non-ESP marker included where the path wants one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// From `path.local` to `path.peer`.
    pub path: Path,
    /// The whole UDP payload.
    pub payload: Vec<u8>,
}
