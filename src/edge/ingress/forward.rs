//! What edges pass to the owner of an IKE SA: IKE messages that the network delivered to them, and what their kernels
//! notice.
//!
//! ```text
//! UDP payload = seal(Forward, way the datagram came | the datagram, or a notice)
//! ```
//!
//! The seal's key comes from the fleet key and a fresh salt, so nobody else can make one, or learn from one who talks to
//! the fleet. Somebody on the way can send it again. That does no more harm than sending the IKE message again: a
//! repeated request gets the cached reply, any other message ID is outside of the window (RFC 7296 sections 2.1 and 2.3), and
//! the addresses are those that the customer's message came with, under the seal.

use ike::Path;
use proto::Slot;
use sealing::{FleetKey, OpenError, Purpose};
use serde::{Deserialize, Serialize};
use tokio::net::UdpSocket;

use super::input::{Datagram, Input, MOST_OCTETS};
use super::notice::Notice;
use crate::metrics::Forwarded as Outcome;
use crate::shared::Shared;

/// Nothing but the purpose of the seal is bound to it.
const BOUND: &[u8] = &[];

/// What is under the seal.
#[derive(Serialize, Deserialize)]
pub(crate) enum Forwarded<'a> {
    /// A customer's datagram and the way it came.
    Datagram {
        path: Path,
        payload: &'a [u8],
    },
    Notice(Notice),
}

/// Passes inputs to other edges and opens what they pass.
pub(crate) struct Forwarder {
    socket: UdpSocket,
    shared: Shared,
}

impl Forwarder {
    pub(crate) fn new(socket: UdpSocket, shared: Shared) -> Self {
        Self { socket, shared }
    }

    pub(crate) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Sends something to the edge that owns it; what cannot be sent at once is dropped.
    pub(crate) fn pass_on(&self, owner: Slot, forwarded: &Forwarded<'_>) {
        let address = self.shared.replica.read().forward_address(owner);
        let outcome = match address {
            None => Outcome::DroppedUnknownEdge,
            Some(address) => match seal_forwarded(&self.shared.fleet_key, forwarded) {
                Some(sealed) if self.socket.try_send_to(&sealed, address).is_ok() => Outcome::Sent,
                Some(_) => Outcome::DroppedSendFailed,
                None => Outcome::DroppedTooLong,
            },
        };
        self.shared.metrics.count(outcome);
    }

    /// What another edge passed; an error when no edge of the fleet did.
    pub(crate) fn open(&self, sealed: &[u8]) -> Result<Input, OpenError> {
        let input = open_forwarded(&self.shared.fleet_key, sealed);
        let outcome = if input.is_ok() {
            Outcome::Received
        } else {
            Outcome::DroppedNotAuthentic
        };
        self.shared.metrics.count(outcome);
        input
    }
}

/// `None` when it would not fit one datagram any more.
fn seal_forwarded(key: &FleetKey, forwarded: &Forwarded<'_>) -> Option<Vec<u8>> {
    let plain = postcard::to_stdvec(forwarded).ok()?;
    if plain.len() + sealing::OVERHEAD > MOST_OCTETS {
        return None;
    }
    sealing::seal(key, Purpose::Forward, BOUND, &plain).ok()
}

fn open_forwarded(key: &FleetKey, sealed: &[u8]) -> Result<Input, OpenError> {
    let plain = sealing::open(key, Purpose::Forward, BOUND, sealed)?;
    match postcard::from_bytes(plain.expose()).map_err(|_| OpenError::Malformed)? {
        Forwarded::Datagram { path, payload } => Ok(Input::Datagram(Datagram {
            path,
            payload: payload.to_vec(),
        })),
        Forwarded::Notice(notice) => Ok(Input::Notice(notice)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn path() -> Path {
        Path {
            local: "[2001:db8::1]:4500".parse().unwrap(),
            peer: "[2001:db8::7]:61234".parse().unwrap(),
        }
    }

    fn datagram(payload: &[u8]) -> Forwarded<'_> {
        Forwarded::Datagram {
            path: path(),
            payload,
        }
    }

    #[test]
    fn a_datagram_arrives_with_the_way_it_came() {
        let key = fixtures::fleet_key();
        let sealed = seal_forwarded(&key, &datagram(b"an IKE message")).unwrap();
        let input = open_forwarded(&key, &sealed).unwrap();
        assert_eq!(
            input,
            Input::Datagram(Datagram {
                path: path(),
                payload: b"an IKE message".to_vec()
            })
        );
    }

    #[test]
    fn a_notice_arrives() {
        let key = fixtures::fleet_key();
        let notice = Notice::Used(0x0040_0001);
        let sealed = seal_forwarded(&key, &Forwarded::Notice(notice)).unwrap();
        assert_eq!(open_forwarded(&key, &sealed).unwrap(), Input::Notice(notice));
    }

    #[test]
    fn a_stranger_can_neither_make_nor_change_one() {
        let key = fixtures::fleet_key();
        let sealed = seal_forwarded(&key, &datagram(b"an IKE message")).unwrap();
        assert!(open_forwarded(&FleetKey::generate().unwrap(), &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(open_forwarded(&key, &changed).is_err(), "octet {index}");
        }
        for length in 0..sealed.len() {
            assert!(
                open_forwarded(&key, &sealed[..length]).is_err(),
                "{length} octets"
            );
        }
        let record = sealing::seal(&key, Purpose::Record, BOUND, b"").unwrap();
        assert!(
            open_forwarded(&key, &record).is_err(),
            "sealed for something else"
        );
    }

    #[test]
    fn what_does_not_fit_one_datagram_is_not_sent() {
        let key = fixtures::fleet_key();
        let fits = seal_forwarded(&key, &datagram(&vec![0; MOST_OCTETS - 200])).unwrap();
        assert!(fits.len() <= MOST_OCTETS);
        assert!(seal_forwarded(&key, &datagram(&vec![0; MOST_OCTETS])).is_none());
    }
}
