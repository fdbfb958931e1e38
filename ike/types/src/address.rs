//! Where datagrams go, and what travels inside a child SA.

use std::net::{IpAddr, SocketAddr};

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

/// One range of addresses, protocol and ports (RFC 7296 section 3.13.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TrafficSelector {
    /// 0 for any.
    pub protocol: u8,
    /// First and last port, both included; 0 to 65535 for any.
    pub ports: (u16, u16),
    /// First address; of the same family as `last`.
    pub first: IpAddr,
    /// Last address, included.
    pub last: IpAddr,
}
