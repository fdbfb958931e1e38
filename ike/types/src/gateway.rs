//! Where a customer is sent (RFC 5685).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::{Invalid, limits};

/// Another gateway. As text: an address, or a domain name that the customer's router can resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// By its address.
    Address(IpAddr),
    /// By its domain name, which the peer resolves: in lower case, since names have no case (RFC 4343), and at most 253
    /// octets.
    Name(String),
}

impl FromStr for Gateway {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return match address.is_unspecified() || address.is_multicast() {
                true => Err(Invalid::new("redirect", text, "is not a host's address")),
                false => Ok(Self::Address(address)),
            };
        }
        if !is_host_name(text) {
            return Err(Invalid::new(
                "redirect",
                text,
                "is neither an address nor a domain name",
            ));
        }
        Ok(Self::Name(text.to_ascii_lowercase()))
    }
}

/// RFC 1123 section 2.1, which also tells names from mistyped addresses: no top-level domain is a number.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        let at_ends = label.starts_with('-') || label.ends_with('-');
        (1..=limits::DNS_LABEL).contains(&label.len()) && label.bytes().all(plain) && !at_ends
    };
    let top = text.rsplit('.').next().unwrap_or_default();
    text.len() <= limits::DNS_NAME
        && text.split('.').all(is_label)
        && !top.bytes().all(|c| c.is_ascii_digit())
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}
