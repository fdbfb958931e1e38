//! Values of the daemons' config files, each with an error that says what to write instead.

use std::net::SocketAddr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

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
