//! The vocabulary of IKEv2 and IPsec: what the responder, the records of the fleet and the commands all speak of.
//!
//! Types only, with the rules of their own that make two values the same or one value wrong. No cryptography, no messages,
//! no input or output.

#![forbid(unsafe_code)]
#![warn(
    clippy::wildcard_enum_match_arm,
    reason = "a new variant is to be thought of wherever the old ones are told apart"
)]
#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        reason = "what others sent is hostile until parsed: no panic, and no number that is cut"
    )
)]

mod address;
pub mod der;
mod gateway;
pub mod hex;
mod identity;
mod invalid;
pub mod limits;
mod name;
mod ppk;
mod secret;
mod selector;
mod source;
mod spi;
mod suite;

pub use address::{Path, Transmit};
pub use gateway::Gateway;
pub use identity::Identity;
pub use invalid::Invalid;
pub use name::{InterfaceName, Name, NetnsName};
pub use ppk::PpkId;
pub use secret::Secret;
pub use selector::TrafficSelector;
pub use source::Source;
pub use spi::{IkeSpis, InboundSpi, Slot};
pub use suite::{Cipher, EspSuite, Integrity};
