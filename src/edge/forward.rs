//! IKE messages between edges: the network delivered them to this edge, and another one owns the IKE SA.
//!
//! ```text
//! UDP payload = seal(Forward, way the datagram came | the datagram)
//! ```
//!
//! The seal's key comes from the fleet key and a fresh salt, so nobody else can make one, or learn from one who talks to
//! the fleet. Somebody on the way can send it again. That does no more harm than sending the IKE message again: a
//! repeated request gets the cached reply, any other message ID is outside of the window (RFC 7296 sections 2.1 and 2.3), and
//! the addresses are those that the customer's message came with, under the seal.

use std::net::SocketAddr;
use std::sync::Arc;

use ike::{Path, Slot};
use serde::{Deserialize, Serialize};
use tokio::net::UdpSocket;

use super::datagram::{Datagram, MOST_OCTETS};
use super::metrics::{Family, Metrics};
use super::state::SharedReplica;
use crate::fleet_key::FleetKey;
use crate::seal::{self, OpenError, Purpose};

/// Nothing but the purpose of the seal is bound to it.
const BOUND: &[u8] = &[];

/// What is under the seal.
#[derive(Serialize, Deserialize)]
struct Forwarded<'a> {
    path: Path,
    payload: &'a [u8],
}

/// Passes datagrams to other edges and opens what they pass.
pub(crate) struct Forwarder {
    socket: UdpSocket,
    fleet_key: Arc<FleetKey>,
    replica: SharedReplica,
    metrics: Metrics,
}

impl Forwarder {
    pub(crate) fn new(
        socket: UdpSocket,
        fleet_key: Arc<FleetKey>,
        replica: SharedReplica,
        metrics: Metrics,
    ) -> Self {
        Self {
            socket,
            fleet_key,
            replica,
            metrics,
        }
    }

    pub(crate) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Sends a datagram to the edge that owns it; one that cannot be sent at once is dropped.
    pub(crate) fn pass_on(&self, slot: Slot, path: Path, payload: &[u8]) {
        let outcome = match self.address(slot) {
            None => "dropped_unknown_edge",
            Some(address) => match seal_datagram(&self.fleet_key, path, payload) {
                Some(sealed) if self.socket.try_send_to(&sealed, address).is_ok() => "sent",
                Some(_) => "dropped_send_failed",
                None => "dropped_too_long",
            },
        };
        self.metrics.count(Family::Forward, outcome);
    }

    /// What another edge passed; an error when no edge of the fleet did.
    pub(crate) fn open(&self, sealed: &[u8]) -> Result<Datagram, OpenError> {
        let datagram = open_datagram(&self.fleet_key, sealed);
        let outcome = if datagram.is_ok() {
            "received"
        } else {
            "dropped_not_authentic"
        };
        self.metrics.count(Family::Forward, outcome);
        datagram
    }

    fn address(&self, slot: Slot) -> Option<SocketAddr> {
        self.replica.read().forward_address(proto::Slot::new(slot.get())?)
    }
}

/// `None` when it would not fit one datagram any more.
fn seal_datagram(key: &FleetKey, path: Path, payload: &[u8]) -> Option<Vec<u8>> {
    let plain = postcard::to_stdvec(&Forwarded { path, payload }).ok()?;
    if plain.len() + seal::OVERHEAD > MOST_OCTETS {
        return None;
    }
    seal::seal(key, Purpose::Forward, BOUND, &plain).ok()
}

fn open_datagram(key: &FleetKey, sealed: &[u8]) -> Result<Datagram, OpenError> {
    let plain = seal::open(key, Purpose::Forward, BOUND, sealed)?;
    let forwarded = postcard::from_bytes(plain.expose()).map_err(|_| OpenError::Malformed)?;
    let Forwarded { path, payload } = forwarded;
    Ok(Datagram {
        path,
        payload: payload.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::fixtures;

    fn path() -> Path {
        Path {
            local: "[2001:db8::1]:4500".parse().unwrap(),
            peer: "[2001:db8::7]:61234".parse().unwrap(),
        }
    }

    #[test]
    fn a_datagram_arrives_with_the_way_it_came() {
        let key = fixtures::fleet_key();
        let sealed = seal_datagram(&key, path(), b"an IKE message").unwrap();
        let datagram = open_datagram(&key, &sealed).unwrap();
        assert_eq!(
            datagram,
            Datagram {
                path: path(),
                payload: b"an IKE message".to_vec()
            }
        );
    }

    #[test]
    fn a_stranger_can_neither_make_nor_change_one() {
        let key = fixtures::fleet_key();
        let sealed = seal_datagram(&key, path(), b"an IKE message").unwrap();
        assert!(open_datagram(&FleetKey::generate().unwrap(), &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(open_datagram(&key, &changed).is_err(), "octet {index}");
        }
        for length in 0..sealed.len() {
            assert!(open_datagram(&key, &sealed[..length]).is_err(), "{length} octets");
        }
        let record = seal::seal(&key, Purpose::Record, BOUND, b"").unwrap();
        assert!(open_datagram(&key, &record).is_err(), "sealed for something else");
    }

    #[test]
    fn what_does_not_fit_one_datagram_is_not_sent() {
        let key = fixtures::fleet_key();
        let fits = seal_datagram(&key, path(), &vec![0; MOST_OCTETS - 200]).unwrap();
        assert!(fits.len() <= MOST_OCTETS);
        assert!(seal_datagram(&key, path(), &vec![0; MOST_OCTETS]).is_none());
    }
}
