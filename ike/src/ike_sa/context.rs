//! What an established IKE SA acts in: the moment, and what all IKE SAs share.

use std::time::{Duration, Instant};

use crate::crypto::SEED_LEN;
use crate::fleet::child_spis::ChildSpis;
use crate::fleet::qcd::Tokens;
use crate::fleet::spi::SpiMask;
use crate::fleet::tunnels::Tunnels;
use crate::message::outbox::Outbox;
use crate::{Config, DhGroup, Host, Secret};

/// Lent by the responder while an IKE SA handles something.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a Config,
    pub(crate) tunnels: &'a Tunnels,
    pub(crate) out: &'a mut Outbox,
    pub(crate) host: &'a mut dyn Host,
    pub(crate) spi_mask: &'a SpiMask,
    /// `None` without QUICK CRASH DETECTION (RFC 6290).
    pub(crate) tokens: Option<&'a Tokens>,
    /// Whether another IKE SA has this responder SPI.
    pub(crate) is_ike_spi_taken: &'a dyn Fn(u64) -> bool,
    /// Of the responder's child SAs.
    pub(crate) child_spis: &'a mut ChildSpis,
}

impl Context<'_> {
    /// A free inbound SPI, which belongs to the IKE SA `ike` from now on.
    pub(crate) fn issue_esp_spi(&mut self, ike: u64) -> Option<u32> {
        self.child_spis.issue(self.config.slot, self.host, ike)
    }

    /// No child SA has this inbound SPI, or not any more.
    pub(crate) fn release_esp_spi(&mut self, spi: u32) {
        self.child_spis.release(spi);
    }

    /// For an IKE SA that takes the place of `old`, on the same responder.
    pub(crate) fn issue_ike_spi(&mut self, old: u64) -> u64 {
        let is_taken = |spi| spi == old || (self.is_ike_spi_taken)(spi);
        let place = (self.config.slot, self.spi_mask.shard_of(old));
        self.spi_mask.issue_free(place, self.host, is_taken)
    }

    /// Since the beginning of 1970.
    pub(crate) fn unix_seconds(&self) -> u64 {
        self.host.unix_time().as_secs()
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        self.host.fill_random(&mut octets);
        octets
    }

    pub(crate) fn seed(&mut self) -> Secret {
        let mut octets = vec![0; SEED_LEN];
        self.host.fill_random(&mut octets);
        Secret::new(octets)
    }

    /// A random part of `duration`, so that what could happen at once everywhere does not (RFC 7296 section 2.8.1).
    pub(crate) fn part_of(&mut self, duration: Duration) -> Duration {
        let share = u32::from_be_bytes(self.random());
        duration.mul_f64(f64::from(share) / f64::from(u32::MAX))
    }

    /// The groups that a key exchange may use, most wanted first.
    pub(crate) fn groups(&self) -> &[DhGroup] {
        &self.config.ike.dh
    }
}
