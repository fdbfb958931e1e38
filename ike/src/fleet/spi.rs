//! SPIs that tell who issued them.
//!
//! A responder SPI is 16 bits of slot, masked, before 48 random bits. The mask is a keyed hash of the random bits:
//! every edge of the fleet can tell the slot, and nobody else can tell two edges apart. An inbound ESP SPI is the
//! slot before 22 random bits, in the clear: the kernel of every edge holds all of them anyway.

use ring::hmac;

use crate::message::channel::Role;
use crate::message::udp;
use crate::wire::{Header, WireError};
use crate::{Host, Secret, Slot};

/// Zero bits behind the slot, so that most forged SPIs are recognised as such.
const CHECK_BITS: u32 = 6;

/// Tries to find a free ESP SPI. At half of an edge's four million taken, all of them fail once in 2^64.
const ESP_SPI_TRIES: usize = 64;

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

/// Tells which edge a datagram belongs to, without any state. `local_port` is the port it arrived at: on 4500 the
/// non-ESP marker is expected. `spi_key` is [`crate::Config::spi_key`].
pub fn route(spi_key: &Secret, local_port: u16, datagram: &[u8]) -> Route {
    let Some(message) = udp::unwrap(local_port, datagram) else {
        return Route::Discard;
    };
    match Header::decode(message) {
        Ok(header) if header.flags.initiator && header.spis.responder == 0 => Route::Any,
        Ok(header) => {
            let spis = Role::of_receiver(header.flags).swap(header.spis);
            let slot = SpiMask::new(spi_key).slot_of(spis.responder);
            slot.map_or(Route::Discard, Route::Slot)
        }
        // Needs an answer, and no state for it.
        Err(WireError::MajorVersion(_)) => Route::Any,
        Err(_) => Route::Discard,
    }
}

/// Hides and finds the slot in responder SPIs.
pub(crate) struct SpiMask(hmac::Key);

impl SpiMask {
    pub(crate) fn new(spi_key: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, spi_key.expose()))
    }

    /// A fresh SPI of `slot` for an IKE SA, unlike those that are taken.
    pub(crate) fn issue_free(&self, slot: Slot, host: &mut dyn Host, is_taken: impl Fn(u64) -> bool) -> u64 {
        loop {
            let spi = self.issue(slot, host);
            // Zero means that there is none yet (RFC 7296 section 2.6).
            if spi != 0 && !is_taken(spi) {
                return spi;
            }
        }
    }

    fn issue(&self, slot: Slot, host: &mut dyn Host) -> u64 {
        let mut random = [0; 8];
        host.fill_random(&mut random[2..]);
        let random = u64::from_be_bytes(random);
        let high = (slot.get() << CHECK_BITS) ^ self.mask(random);
        u64::from(high) << 48 | random
    }

    /// `None` for an SPI that no edge of the fleet has issued.
    pub(crate) fn slot_of(&self, spi: u64) -> Option<Slot> {
        let random = spi & ((1 << 48) - 1);
        let high = (spi >> 48) as u16 ^ self.mask(random);
        let checks = high & ((1 << CHECK_BITS) - 1) == 0;
        Slot::new(high >> CHECK_BITS).filter(|_| checks)
    }

    fn mask(&self, random: u64) -> u16 {
        let tag = hmac::sign(&self.0, &random.to_be_bytes()[2..]);
        let tag = tag.as_ref();
        u16::from_be_bytes([tag[0], tag[1]])
    }
}

/// A fresh inbound ESP SPI that neither the fleet nor `is_pending` knows; `None` when none was found.
pub(crate) fn issue_esp_spi(
    slot: Slot,
    host: &mut dyn Host,
    is_pending: impl Fn(u32) -> bool,
) -> Option<u32> {
    (0..ESP_SPI_TRIES).find_map(|_| {
        let mut random = [0; 4];
        host.fill_random(&mut random);
        let spi = u32::from(slot.get()) << 22 | u32::from_be_bytes(random) >> 10;
        (!host.is_esp_spi_taken(spi) && !is_pending(spi)).then_some(spi)
    })
}

#[cfg(test)]
mod tests {
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
            let spi = mask.issue(slot, &mut host);
            assert_eq!(mask.slot_of(spi), Some(slot));
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

    #[test]
    fn datagrams_find_their_edge() {
        let slot = Slot::new(321).unwrap();
        let spi = SpiMask::new(&key(1)).issue(slot, &mut TestHost::new(1));
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
            assert_eq!(route(&key(1), port, &datagram), expected, "{datagram:02x?}");
        }
    }

    #[test]
    fn an_esp_spi_has_the_slot_and_is_free() {
        let mut host = TestHost::new(1);
        for number in [1, 5, Slot::MAX] {
            let slot = Slot::new(number).unwrap();
            let spi = issue_esp_spi(slot, &mut host, |_| false).unwrap();
            assert_eq!(Slot::of_esp_spi(spi), Some(slot));
        }
        let slot = Slot::new(1).unwrap();
        assert_eq!(issue_esp_spi(slot, &mut host, |_| true), None);
        let first = issue_esp_spi(slot, &mut TestHost::new(2), |_| false).unwrap();
        let second = issue_esp_spi(slot, &mut TestHost::new(2), |spi| spi == first).unwrap();
        assert_ne!(first, second);
    }
}
