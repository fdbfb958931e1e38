//! IKE fragmentation (RFC 7383): how large a message may be, and the reassembly of the peer's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::message::inbound::Arrived;
use crate::wire::{Fragment, PayloadType};
use crate::{Dropped, Secret};

/// Octets of the largest IP packet that our fragments travel in (RFC 7383 section 2.5.1).
const IPV4_PACKET: usize = 576;
const IPV6_PACKET: usize = 1280;

/// Octets of the headers of IP and UDP and of the non-ESP marker.
const IPV4_OVERHEAD: usize = 20 + 8 + 4;
const IPV6_OVERHEAD: usize = 40 + 8 + 4;

/// Octets of payloads in a message that comes in fragments: a long chain of certificates and some more. It bounds what
/// a peer that has not proved who it is can make us keep.
const MAX_LEN: usize = 16 * 1024;

/// So that fragments of next to nothing do not cost more than they carry.
const MAX_FRAGMENTS: u16 = 64;

/// From a message's first fragment to its last. A peer sends all of them again within that time.
const LIFETIME: Duration = Duration::from_secs(30);

/// Octets of the longest IKE message that is sent to `peer` in one piece.
pub(crate) fn longest_message(peer: SocketAddr) -> u16 {
    let longest = match peer {
        SocketAddr::V4(_) => IPV4_PACKET - IPV4_OVERHEAD,
        SocketAddr::V6(_) => IPV6_PACKET - IPV6_OVERHEAD,
    };
    longest as u16
}

/// The fragments of one message that have come so far, each of them authentic.
#[derive(Debug, Default)]
pub(crate) struct Assembly(Option<Box<Parts>>);

#[derive(Debug)]
struct Parts {
    message_id: u32,
    /// How many fragments there are in all.
    total: u16,
    ends: Instant,
    /// What they hold, by their numbers.
    pieces: BTreeMap<u16, Secret>,
    len: usize,
    beginning: Option<Beginning>,
}

/// What only the first fragment tells.
#[derive(Debug)]
struct Beginning {
    payload: PayloadType,
    octets: Vec<u8>,
}

/// A message whose fragments are all there.
pub(crate) struct Assembled {
    /// The type of the first payload.
    pub(crate) first: PayloadType,
    pub(crate) chain: Vec<u8>,
    /// The first fragment, which stands for the whole when it comes again (RFC 7383 section 2.6.1).
    pub(crate) first_fragment: Vec<u8>,
}

impl Assembly {
    /// False for a fragment that is not worth being opened: it is there already, or of a set that gave way to smaller
    /// fragments (RFC 7383 section 2.6).
    pub(crate) fn wants(&self, now: Instant, message_id: u32, fragment: Fragment) -> Result<bool, Dropped> {
        if fragment.total > MAX_FRAGMENTS {
            return Err(Dropped::FragmentsTooLong);
        }
        let current = self.0.as_ref();
        let Some(parts) = current.filter(|parts| parts.message_id == message_id && parts.ends > now) else {
            return Ok(true);
        };
        let is_new = !parts.pieces.contains_key(&fragment.number);
        Ok(fragment.total > parts.total || (fragment.total == parts.total && is_new))
    }

    /// Takes a wanted and authentic fragment that holds `piece`; gives the message when it was the last one missing.
    /// Fragments of another message or of another set are forgotten.
    pub(crate) fn add(
        &mut self,
        arrived: Arrived<'_>,
        fragment: Fragment,
        first: PayloadType,
        piece: Secret,
    ) -> Result<Option<Assembled>, Dropped> {
        let message_id = arrived.message.header.message_id;
        let current = self.0.take();
        let mut parts = current
            .filter(|parts| {
                parts.message_id == message_id && parts.total == fragment.total && parts.ends > arrived.now
            })
            .unwrap_or_else(|| Box::new(Parts::new(message_id, fragment.total, arrived.now + LIFETIME)));
        parts.len += piece.expose().len();
        if parts.len > MAX_LEN {
            return Err(Dropped::FragmentsTooLong);
        }
        if fragment.number == 1 {
            parts.beginning = Some(Beginning {
                payload: first,
                octets: arrived.octets.to_vec(),
            });
        }
        parts.pieces.insert(fragment.number, piece);
        match &parts.beginning {
            Some(_) if parts.pieces.len() == usize::from(parts.total) => Ok(parts.assemble()),
            _ => {
                self.0 = Some(parts);
                Ok(None)
            }
        }
    }

    /// When [`Self::expire`] has something to do.
    pub(crate) fn ends(&self) -> Option<Instant> {
        self.0.as_ref().map(|parts| parts.ends)
    }

    /// Forgets what has waited too long for the rest.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.0.take_if(|parts| parts.ends <= now);
    }
}

impl Parts {
    fn new(message_id: u32, total: u16, ends: Instant) -> Self {
        Self {
            message_id,
            total,
            ends,
            pieces: BTreeMap::new(),
            len: 0,
            beginning: None,
        }
    }

    fn assemble(self) -> Option<Assembled> {
        let beginning = self.beginning?;
        let mut chain = Vec::with_capacity(self.len);
        for piece in self.pieces.values() {
            chain.extend_from_slice(piece.expose());
        }
        Some(Assembled {
            first: beginning.payload,
            chain,
            first_fragment: beginning.octets,
        })
    }
}
