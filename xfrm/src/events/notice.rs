//! What the owner of a child SA has to know.

use std::net::SocketAddr;

/// Something the kernel told of a wanted child, by its inbound SPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The peer has begun to send on the inbound SA; told if [`crate::Child::report_use`] asks for it.
    Used(u32),
    /// The outbound SA has sent up to three quarters of [`crate::Child::packet_limit`], or up to
    /// [`crate::Tunnel::rekey_bytes`]: time for another key.
    NearLimit(u32),
    /// The peer, behind a NAT, sends from this address and port now. They are [`crate::Child`]'s own only once its owner
    /// says so: a packet that was recorded and sent again looks the same.
    Moved(u32, SocketAddr),
}
