//! Where a customer is sent (RFC 5685).

use std::fmt;
use std::net::IpAddr;

/// Another gateway, as REDIRECT names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// By its address.
    Address(IpAddr),
    /// By its domain name, which the peer resolves: at most 253 octets.
    Name(String),
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}
