//! The vocabulary of IKEv2 and IPsec: what the responder, the records of the fleet and the commands all speak of.
//!
//! Types only, with the rules of their own that make two values the same or one value wrong. No cryptography, no messages,
//! no input or output.

#![forbid(unsafe_code)]

mod address;
pub mod der;
mod gateway;
mod identity;
mod secret;
mod source;
mod spi;
mod suite;

pub use address::{Path, TrafficSelector, Transmit};
pub use gateway::Gateway;
pub use identity::Identity;
pub use secret::Secret;
pub use source::Source;
pub use spi::{IkeSpis, Slot};
pub use suite::{Cipher, EspSuite, Integrity};
