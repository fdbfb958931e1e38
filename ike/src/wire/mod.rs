//! The IKEv2 message format (RFC 7296 section 3): each payload's decoder, encoder and validator side by side.
//!
//! Decoding borrows from the datagram; nothing is trusted before its length is known, and no count that a peer
//! states is used to allocate.

mod cert;
mod delete;
mod error;
mod header;
mod id;
mod message;
mod notify;
mod sa;
mod ts;

pub(crate) use cert::Certificate;
pub(crate) use delete::Delete;
pub(crate) use error::WireError;
pub(crate) use header::{ExchangeType, Flags, HEADER_LEN, Header};
pub(crate) use id::IdPayload;
pub(crate) use message::{Encrypted, Head, KeyExchange, Message, Payload, decode_payloads, encode};
pub(crate) use notify::{Notify, NotifyType};
pub(crate) use sa::{Proposal, Protocol, Transform, TransformType};
