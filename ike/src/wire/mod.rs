//! The IKEv2 message format (RFC 7296 section 3): each payload's decoder, encoder and validator side by side.
//!
//! Decoding borrows from the datagram. Nothing is read before its length is known, and no count that a peer states
//! is used to allocate: memory is bounded by the datagram's own size.

#![cfg_attr(
    not(test),
    deny(
        clippy::cast_possible_truncation,
        clippy::indexing_slicing,
        reason = "what a peer has sent must not be cut, nor end the process"
    )
)]

mod auth;
mod chain;
mod delete;
mod error;
mod fragment;
mod header;
mod id;
mod ke;
mod length;
mod message;
mod notify;
mod payload;
mod sa;
#[cfg(any(test, fuzzing))]
mod testing;
mod ts;

pub(crate) use auth::{Auth, Certificate};
pub(crate) use chain::{Encrypted, decode_payloads, encode_payloads, first_of};
pub(crate) use delete::Delete;
pub(crate) use error::WireError;
pub(crate) use fragment::Fragment;
pub(crate) use header::{ExchangeType, Flags, HEADER_LEN, Head, Header, exchange_of, patch_length};
pub(crate) use id::IdPayload;
pub(crate) use ke::KeyExchange;
pub(crate) use message::{Message, encode, split};
pub(crate) use notify::{Notify, NotifyType, notifications};
pub(crate) use payload::{Payload, PayloadType};
pub(crate) use sa::{Proposal, Protocol, Transform, TransformType};
#[cfg(any(test, fuzzing))]
pub(crate) use testing::exercise;
