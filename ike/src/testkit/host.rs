//! Randomness that repeats with its seed.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::Host;

/// SplitMix64: well spread, and the same at each run.
#[derive(Clone, Debug)]
pub struct TestRandom(u64);

impl TestRandom {
    /// Different seeds give different octets.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Fills `buffer` with the next octets.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_be_bytes()[..chunk.len()]);
        }
    }
}

/// A host for a [`crate::Responder`] under test.
#[derive(Clone, Debug)]
pub struct TestHost {
    random: TestRandom,
    taken: Arc<Mutex<HashSet<u32>>>,
    clock: Arc<AtomicU64>,
    knows_no_ike_sa: bool,
}

/// What the time is, unless a test says otherwise, since 1970: January 2027.
pub const UNIX_TIME: Duration = Duration::from_secs(1_800_000_000);

impl TestHost {
    /// Different seeds give different SPIs, nonces and key pairs.
    pub fn new(seed: u64) -> Self {
        Self {
            random: TestRandom::new(seed),
            taken: Arc::default(),
            clock: Arc::new(AtomicU64::new(UNIX_TIME.as_secs())),
            knows_no_ike_sa: false,
        }
    }

    /// The same in a fleet that has lost all IKE SAs.
    #[must_use]
    pub fn after_a_crash(self) -> Self {
        Self {
            knows_no_ike_sa: true,
            ..self
        }
    }

    /// The inbound ESP SPIs that the fleet knows already; shared with the host's clones.
    pub fn taken(&self) -> Arc<Mutex<HashSet<u32>>> {
        Arc::clone(&self.taken)
    }

    /// The same with another host's clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<AtomicU64>) -> Self {
        Self { clock, ..self }
    }

    /// The seconds that it takes for the time since 1970, [`UNIX_TIME`] at first; shared with the host's clones.
    pub fn clock(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.clock)
    }
}

impl Host for TestHost {
    fn fill_random(&mut self, buffer: &mut [u8]) {
        self.random.fill(buffer);
    }

    fn is_esp_spi_taken(&self, spi: u32) -> bool {
        self.taken.lock().is_ok_and(|taken| taken.contains(&spi))
    }

    fn is_ike_sa_gone(&self, _responder_spi: u64) -> bool {
        self.knows_no_ike_sa
    }

    fn unix_time(&self) -> Duration {
        Duration::from_secs(self.clock.load(Ordering::Relaxed))
    }
}
