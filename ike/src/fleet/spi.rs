//! SPIs that tell who issued them, and which of its responders has what they belong to.
//!
//! A responder SPI is 16 bits of slot, masked, before 42 random bits, before 6 bits of shard, masked. The masks are keyed hashes
//! of what stands behind the slot, and of the random bits: every edge of the fleet can tell slot and shard, and nobody else can
//! tell two edges apart, or two shards. An SPI of a program that knew no shards yet has random bits in their place, which say one
//! as well. An inbound ESP SPI is the slot before 22 random bits, in the clear: the kernel of every edge holds all of them anyway.
//! It has no shard, which would leave a shard's customers too few, and show on the wire who shares one: whose a child SA is
//! stands in its record, and no two responders of an edge issue the same ([`super::child_spis`]).

use std::net::IpAddr;

use ring::hmac;

use super::shard::{SHARD_BITS, Shard};
use crate::message::channel::Role;
use crate::message::udp;
use crate::wire::{Header, WireError};
use crate::{Host, Path, Secret, Slot};

/// Zero bits behind the slot, so that most forged SPIs are recognised as such.
const CHECK_BITS: u32 = 6;

/// Whose a datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Any edge may take it: it belongs to no IKE SA yet.
    Any,
    /// It belongs to an IKE SA that the edge with this slot negotiated.
    Slot(Slot),
    /// No edge of the fleet can make anything of it.
    Discard,
}

/// Tells whose a datagram is, without any state.
#[derive(Clone)]
pub struct Router(SpiMask);

impl Router {
    /// `spi_key` is [`crate::Config::spi_key`].
    pub fn new(spi_key: &Secret) -> Self {
        Self(SpiMask::new(spi_key))
    }

    /// Whose a datagram is that has come along `path`, and which of the edge's responders it is for. On port 4500 the non-ESP
    /// marker is expected. A request that begins an IKE SA goes by the source's address and the initiator's SPI, so that a
    /// retransmission goes where the first one went.
    pub fn route(&self, path: Path, datagram: &[u8]) -> (Route, Shard) {
        let peer = path.peer.ip();
        let stateless = |route, initiator| (route, self.0.shard_of_new(peer, initiator));
        let Some(message) = udp::unwrap(path.local.port(), datagram) else {
            return stateless(Route::Discard, 0);
        };
        match Header::decode(message) {
            Ok(header) if header.flags.initiator && header.spis.responder == 0 => {
                stateless(Route::Any, header.spis.initiator)
            }
            Ok(header) => {
                let spi = Role::of_receiver(header.flags).swap(header.spis).responder;
                match self.0.slot_of(spi) {
                    Some(slot) => (Route::Slot(slot), self.0.shard_of(spi)),
                    None => stateless(Route::Discard, spi),
                }
            }
            // Needs an answer, and no state for it.
            Err(WireError::MajorVersion(_)) => stateless(Route::Any, 0),
            Err(_) => stateless(Route::Discard, 0),
        }
    }

    /// The responder SPI of the IKE SA that a datagram says it belongs to, whether there is one or not.
    pub fn ike_sa_of(&self, path: Path, datagram: &[u8]) -> Option<u64> {
        let header = Header::decode(udp::unwrap(path.local.port(), datagram)?).ok()?;
        Some(Role::of_receiver(header.flags).swap(header.spis).responder)
    }

    /// Which of its edge's responders has the IKE SA with this responder SPI.
    pub fn shard_of(&self, responder_spi: u64) -> Shard {
        self.0.shard_of(responder_spi)
    }
}

/// Hides and finds slot and shard in responder SPIs.
#[derive(Clone)]
pub(crate) struct SpiMask(hmac::Key);

/// What parts the inputs of the masks from each other and from those of the other uses of the key.
const SHARD_OF_SPI: &[u8] = b"shard of SPI";
const SHARD_OF_NEW: &[u8] = b"shard of new IKE SA";

impl SpiMask {
    pub(crate) fn new(spi_key: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, spi_key.expose()))
    }

    /// A fresh SPI of `slot` and `shard` for an IKE SA, unlike those that are taken.
    pub(crate) fn issue_free(
        &self,
        (slot, shard): (Slot, Shard),
        host: &mut dyn Host,
        is_taken: impl Fn(u64) -> bool,
    ) -> u64 {
        loop {
            let spi = self.issue((slot, shard), host);
            // Zero means that there is none yet (RFC 7296 section 2.6).
            if spi != 0 && !is_taken(spi) {
                return spi;
            }
        }
    }

    fn issue(&self, (slot, shard): (Slot, Shard), host: &mut dyn Host) -> u64 {
        let mut random = [0; 8];
        host.fill_random(&mut random[2..]);
        let random = u64::from_be_bytes(random) >> SHARD_BITS;
        let low = random << SHARD_BITS | u64::from(shard.bits() ^ self.shard_mask(random).bits());
        let high = (slot.get() << CHECK_BITS) ^ self.slot_mask(low);
        u64::from(high) << 48 | low
    }

    /// `None` for an SPI that no edge of the fleet has issued.
    pub(crate) fn slot_of(&self, spi: u64) -> Option<Slot> {
        let high = (spi >> 48) as u16 ^ self.slot_mask(low_of(spi));
        let checks = high & ((1 << CHECK_BITS) - 1) == 0;
        Slot::new(high >> CHECK_BITS).filter(|_| checks)
    }

    /// That of an SPI that an edge of the fleet has issued.
    pub(crate) fn shard_of(&self, spi: u64) -> Shard {
        let mask = self.shard_mask(low_of(spi) >> SHARD_BITS);
        Shard::of_bits(spi as u8 ^ mask.bits())
    }

    /// That of an IKE SA which a peer with this address and SPI begins. Keyed, so that nobody can choose one.
    pub(crate) fn shard_of_new(&self, peer: IpAddr, initiator_spi: u64) -> Shard {
        let peer = match peer {
            IpAddr::V4(peer) => peer.to_ipv6_mapped(),
            IpAddr::V6(peer) => peer,
        };
        self.shard_by(SHARD_OF_NEW, &[&peer.octets(), &initiator_spi.to_be_bytes()])
    }

    fn shard_mask(&self, random: u64) -> Shard {
        self.shard_by(SHARD_OF_SPI, &[&random.to_be_bytes()])
    }

    fn shard_by(&self, label: &[u8], parts: &[&[u8]]) -> Shard {
        let mut hash = hmac::Context::with_key(&self.0);
        hash.update(label);
        parts.iter().for_each(|part| hash.update(part));
        Shard::of_bits(hash.sign().as_ref()[0])
    }

    fn slot_mask(&self, low: u64) -> u16 {
        let tag = hmac::sign(&self.0, &low.to_be_bytes()[2..]);
        let tag = tag.as_ref();
        u16::from_be_bytes([tag[0], tag[1]])
    }
}

/// What follows the slot.
fn low_of(spi: u64) -> u64 {
    spi & ((1 << 48) - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::testkit::{Customer, Initiator, TestHost, TestRandom};

    fn key(octet: u8) -> Secret {
        Secret::new(vec![octet; 32])
    }

    #[test]
    fn every_slot_is_found_again_and_by_nobody_without_the_key() {
        let (mask, other_mask) = (SpiMask::new(&key(1)), SpiMask::new(&key(2)));
        let mut host = TestHost::new(1);
        let mut lucky = 0;
        for number in 1..=Slot::MAX {
            let slot = Slot::new(number).unwrap();
            let shard = Shard::of_bits(number as u8);
            let spi = mask.issue((slot, shard), &mut host);
            assert_eq!((mask.slot_of(spi), mask.shard_of(spi)), (Some(slot), shard));
            lucky += usize::from(other_mask.slot_of(spi) == Some(slot));
        }
        // By chance one in 2^16.
        assert!(lucky <= 1, "{lucky} slots were found with another key");
    }

    #[test]
    fn spis_that_nobody_issued_are_mostly_recognised() {
        let mask = SpiMask::new(&key(1));
        let mut random = TestRandom::new(1);
        let passed = (0..64_000)
            .filter(|_| mask.slot_of(random.next_u64()).is_some())
            .count();
        // One in 64 passes the check bits.
        assert!(
            (800..1200).contains(&passed),
            "{passed} of 64,000 forgeries passed"
        );
    }

    /// An IKE message's header: responder SPI, version and flags.
    fn message(spi: u64, version: u8) -> Vec<u8> {
        let mut message = Initiator::new(Customer::new(1), 1).start().payload;
        message[8..16].copy_from_slice(&spi.to_be_bytes());
        message[17] = version;
        message
    }

    /// One within an IKE SA that we have begun by a rekey: ours is the initiator's SPI.
    fn message_to_initiator(spi: u64) -> Vec<u8> {
        let mut message = message(1, 0x20);
        message[..8].copy_from_slice(&spi.to_be_bytes());
        message[19] &= !0x08;
        message
    }

    /// From the peer with this number.
    fn path(local_port: u16, peer: u8) -> Path {
        Path {
            local: ([203, 0, 113, 1], local_port).into(),
            peer: ([192, 0, 2, peer], 500).into(),
        }
    }

    /// The request that begins an IKE SA, and what comes of it when it is sent again from another port: a NAT's.
    #[test]
    fn a_retransmission_goes_where_the_first_went_and_others_are_spread() {
        let router = Router::new(&key(1));
        let shard = |peer, spi: u64| {
            let mut message = message(0, 0x20);
            message[..8].copy_from_slice(&spi.to_be_bytes());
            let mut path = path(500, peer);
            let first = router.route(path, &message);
            path.peer.set_port(61_234);
            assert_eq!(router.route(path, &message), first);
            assert_eq!(first.0, Route::Any);
            first.1
        };
        let mut of_sources = HashSet::new();
        let mut of_spis = HashSet::new();
        for number in 1..=255 {
            of_sources.insert(shard(number, 1));
            of_spis.insert(shard(1, number.into()));
        }
        assert!(of_sources.len() > Shard::COUNT / 2, "{} shards", of_sources.len());
        assert!(of_spis.len() > Shard::COUNT / 2, "{} shards", of_spis.len());
    }

    /// One was 16 bits of slot, masked by a hash of 48 random bits. Those went on to live on an edge that knows shards.
    #[test]
    fn spis_without_a_shard_are_routed_still_and_spread() {
        let mask = SpiMask::new(&key(1));
        let slot = Slot::new(321).unwrap();
        let mut random = TestRandom::new(1);
        let mut shards = HashSet::new();
        for _ in 0..256 {
            let low = low_of(random.next_u64());
            let tag = hmac::sign(
                &hmac::Key::new(hmac::HMAC_SHA256, key(1).expose()),
                &low.to_be_bytes()[2..],
            );
            let high = (321 << 6) ^ u64::from(u16::from_be_bytes([tag.as_ref()[0], tag.as_ref()[1]]));
            let spi = high << 48 | low;
            assert_eq!(mask.slot_of(spi), Some(slot));
            shards.insert(mask.shard_of(spi));
        }
        assert!(shards.len() > Shard::COUNT / 2, "{} shards", shards.len());
    }

    #[test]
    fn datagrams_find_their_edge() {
        let slot = Slot::new(321).unwrap();
        let shard = Shard::of_bits(5);
        let spi = SpiMask::new(&key(1)).issue((slot, shard), &mut TestHost::new(1));
        let router = Router::new(&key(1));
        let marked = |message: &[u8]| [&[0; 4], message].concat();
        let mut cut = message(spi, 0x20);
        cut.pop();
        for (port, datagram, expected) in [
            (500, message(spi, 0x20), Route::Slot(slot)),
            (4500, marked(&message(spi, 0x20)), Route::Slot(slot)),
            (500, message_to_initiator(spi), Route::Slot(slot)),
            (500, message_to_initiator(1), Route::Discard),
            (500, message(0, 0x20), Route::Any),
            (4500, marked(&message(0, 0x20)), Route::Any),
            // Somebody has to tell the version.
            (500, message(spi, 0x30), Route::Any),
            // One bit of the SPI's masked half is wrong: the check bits tell.
            (500, message(spi ^ 1 << 48, 0x20), Route::Discard),
            (500, message(spi, 0x10), Route::Discard),
            (500, cut, Route::Discard),
            // ESP and a keep-alive.
            (4500, message(spi, 0x20), Route::Discard),
            (4500, vec![0xff], Route::Discard),
            (500, vec![], Route::Discard),
        ] {
            let (route, routed_to) = router.route(path(port, 1), &datagram);
            assert_eq!(route, expected, "{datagram:02x?}");
            if let Route::Slot(_) = route {
                assert_eq!(routed_to, shard);
            }
        }
    }
}
