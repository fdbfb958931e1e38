//! Values that a config file gives as text or numbers, each with an error that says what to write instead.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

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

/// `address:port`, both given.
pub(super) fn socket_address<'de, D: Deserializer<'de>>(input: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(input)?;
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(address),
        _ => Err(Error::custom(format!(
            r#"{text:?} is not an address with a port; write it like "10.9.0.1:4501" or "[2001:db8::1]:4501""#
        ))),
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

/// `https://host:port`.
pub(super) fn https<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    let text = String::deserialize(input)?;
    let uri = text.parse::<tonic::transport::Uri>().ok();
    let good = uri.is_some_and(|uri| {
        uri.scheme_str() == Some("https") && uri.port().is_some() && matches!(uri.path(), "" | "/")
    });
    if !good {
        let message = format!(
            r#"{text:?} is not the address of a distributor; write it like "https://10.9.0.10:7400""#
        );
        return Err(Error::custom(message));
    }
    Ok(text)
}

/// For a switch that is on unless the file says otherwise.
pub(super) fn on() -> bool {
    true
}

/// A whole number of seconds, at least one and at most a month.
pub(super) fn seconds<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    const MONTH: u64 = 31 * 86_400;
    match u64::deserialize(input)? {
        seconds @ 1..=MONTH => Ok(Duration::from_secs(seconds)),
        seconds => Err(Error::custom(format!(
            "{seconds} is out of range; give 1 to {MONTH} seconds"
        ))),
    }
}

/// How many processors this machine lets the program have; one when it does not say.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(MOST_THREADS))
}

/// More threads than an IKE SA has shards would have nothing to do.
const MOST_THREADS: usize = ike::Shard::COUNT;

/// How many threads there are to be: at least one.
pub(super) fn threads<'de, D: Deserializer<'de>>(input: D) -> Result<usize, D::Error> {
    match usize::deserialize(input)? {
        count @ 1..=MOST_THREADS => Ok(count),
        count => Err(Error::custom(format!(
            "{count} is out of range; give 1 to {MOST_THREADS}"
        ))),
    }
}

/// A bound on memory: at least one.
pub(super) fn count<'de, D: Deserializer<'de>>(input: D) -> Result<usize, D::Error> {
    const MOST: usize = 10_000_000;
    match usize::deserialize(input)? {
        count @ 1..=MOST => Ok(count),
        count => Err(Error::custom(format!(
            "{count} is out of range; give 1 to {MOST}"
        ))),
    }
}
