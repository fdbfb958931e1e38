//! What one edge's kernel sees of an SA, and the SA's owner has to know.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Of the child SA with this inbound SPI. It may get lost, and it may come twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// The peer has begun to send on it, so that we may as well (RFC 7296 section 2.8).
    Used(u32),
    /// Some edge has sent most of the packets that it may under its key.
    NearLimit(u32),
    /// The peer, behind a NAT, seems to send from there now (RFC 7296 section 2.23).
    Moved(u32, SocketAddr),
}

impl Notice {
    pub(crate) fn inbound_spi(self) -> u32 {
        match self {
            Self::Used(spi) | Self::NearLimit(spi) | Self::Moved(spi, _) => spi,
        }
    }
}

impl From<xfrm::Notice> for Notice {
    fn from(notice: xfrm::Notice) -> Self {
        match notice {
            xfrm::Notice::Used(spi) => Self::Used(spi),
            xfrm::Notice::NearLimit(spi) => Self::NearLimit(spi),
            xfrm::Notice::Moved(spi, peer) => Self::Moved(spi, peer),
        }
    }
}
