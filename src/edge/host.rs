//! What the responder asks of its surroundings.

use std::time::{Duration, SystemTime};

use ike::{DhGroup, DhKeyPair};
use ring::rand::{SecureRandom, SystemRandom};

use super::state::SharedReplica;

/// The system's randomness, and the fleet's SPIs.
pub(crate) struct FleetHost {
    random: SystemRandom,
    replica: SharedReplica,
}

impl FleetHost {
    pub(crate) fn new(replica: SharedReplica) -> Self {
        Self {
            random: SystemRandom::new(),
            replica,
        }
    }
}

impl ike::Host for FleetHost {
    fn fill_random(&mut self, buffer: &mut [u8]) {
        self.random.fill(buffer).expect(
            "getrandom(2) does not fail once the kernel's generator is seeded, before any daemon starts",
        );
    }

    fn key_pair(&mut self, group: DhGroup) -> DhKeyPair {
        DhKeyPair::of_system(group, &self.random)
            .unwrap_or_else(|| DhKeyPair::generate(group, &mut |buffer| self.fill_random(buffer)))
    }

    fn is_esp_spi_taken(&self, spi: u32) -> bool {
        self.replica.read().is_esp_spi_taken(spi)
    }

    /// A clock that stands before 1970 makes cookies that other edges do not know, and no certificate valid.
    fn unix_time(&self) -> Duration {
        let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        elapsed.unwrap_or_default()
    }
}
