//! What the responder asks of its surroundings.

use std::time::Duration;

/// What the responder needs from outside itself at the moment it acts.
pub trait Host {
    /// Fills `buffer` with unpredictable bytes.
    fn fill_random(&mut self, buffer: &mut [u8]);

    /// True when the fleet knows a child SA, or a tombstone of one, with this inbound ESP SPI.
    fn is_esp_spi_taken(&self, spi: u32) -> bool;

    /// True when it is certain that no edge runs an IKE SA with this responder SPI, which carries this edge's slot, nor can one
    /// come up: this edge has all of the fleet's records, and there is none of it. Needed for RFC 6290 section 9.2.
    fn is_ike_sa_gone(&self, responder_spi: u64) -> bool;

    /// Time since the beginning of 1970, by which certificates are valid or not. Edges whose clocks differ by more than a
    /// minute refuse each other's cookies (RFC 7296 section 2.6).
    fn unix_time(&self) -> Duration;
}
