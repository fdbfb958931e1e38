//! Who has which address. All are those for documentation (RFC 5737, RFC 3849), or private.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};

/// The fleet's outer addresses.
pub const ANYCAST: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// The inner address of what the customer wants to reach, and its prefixes.
pub const ORIGIN: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 1);
/// See [`ORIGIN`].
pub const ORIGIN_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 0, 1);
/// See [`ORIGIN`].
pub const ORIGIN_PREFIXES: [&str; 2] = ["10.2.0.0/24", "fd00:2::/64"];

/// Where the distributor listens, on the management network.
pub const DISTRIBUTOR: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 10);

/// Which of the two families the outer packets have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outer {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Outer {
    /// The fleet's address.
    pub fn anycast(self) -> IpAddr {
        ANYCAST[usize::from(self == Self::V6)]
    }
}

/// An edge's address on the management network.
pub fn management(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, 0, n as u8)
}

/// The network's address towards customer number `n`, in a /30 whose other one is the customer's.
pub(super) fn gateway(n: usize) -> Result<Ipv4Addr> {
    let low = u8::try_from(4 * n).context("too many customers")?;
    Ok(Ipv4Addr::new(198, 51, 100, low + 1))
}
