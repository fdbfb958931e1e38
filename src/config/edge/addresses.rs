//! An edge's addresses, each with an error that says what to write instead.

use std::net::{IpAddr, SocketAddr};

use serde::de::{Deserialize, Deserializer, Error};

use super::super::daemon::socket_address;

/// The anycast addresses: at least one, none twice, each one that a packet can be sent to.
pub(super) fn anycast<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<IpAddr>, D::Error> {
    let addresses: Vec<IpAddr> = Vec::<Anycast>::deserialize(input)?
        .into_iter()
        .map(|Anycast(address)| address)
        .collect();
    if addresses.is_empty() {
        return Err(Error::custom(
            "needs at least one address: the one that customers send to",
        ));
    }
    if let Some(twice) = addresses
        .iter()
        .enumerate()
        .find(|(i, one)| addresses[..*i].contains(one))
    {
        return Err(Error::custom(format!(
            "{} stands here twice; remove one",
            twice.1
        )));
    }
    Ok(addresses)
}

struct Anycast(IpAddr);

impl<'de> Deserialize<'de> for Anycast {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        let Ok(address) = text.parse::<IpAddr>() else {
            let message =
                format!(r#"{text:?} is not an IP address; write it like "203.0.113.1" or "2001:db8::1""#);
            return Err(Error::custom(message));
        };
        if address.is_unspecified() || address.is_multicast() {
            let message =
                format!("{address} is not an address of this fleet; give the one that customers send to");
            return Err(Error::custom(message));
        }
        Ok(Self(address))
    }
}

/// An address of this machine that others can reach.
pub(super) fn reachable<'de, D: Deserializer<'de>>(input: D) -> Result<SocketAddr, D::Error> {
    let address = socket_address(input)?;
    if address.ip().is_unspecified() {
        let message =
            format!("{address} cannot be reached by others; give the machine's own unicast address");
        return Err(Error::custom(message));
    }
    Ok(address)
}

/// An address that only this machine reaches.
pub(super) fn loopback<'de, D: Deserializer<'de>>(input: D) -> Result<SocketAddr, D::Error> {
    let address = socket_address(input)?;
    if !address.ip().is_loopback() {
        let message = format!(r#"{address} is open to others; use a loopback address like "127.0.0.1:9101""#);
        return Err(Error::custom(message));
    }
    Ok(address)
}
