//! Protected messages between two peers: SK and SKF payloads, fragments, the window of the peer's requests, what came in and
//! what is to go out.

#![cfg_attr(
    not(test),
    deny(
        clippy::wildcard_enum_match_arm,
        reason = "who adds a state or an event is to be asked everywhere what follows from it"
    )
)]

pub(crate) mod channel;
pub(crate) mod fragments;
pub(crate) mod inbound;
pub(crate) mod outbox;
pub(crate) mod sk;
pub(crate) mod udp;
pub(crate) mod window;
