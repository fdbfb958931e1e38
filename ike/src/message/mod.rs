//! Protected messages between two peers: SK and SKF payloads, fragments, the window of the peer's requests, what came in and
//! what is to go out.

pub(crate) mod channel;
pub(crate) mod fragments;
pub(crate) mod inbound;
pub(crate) mod outbox;
pub(crate) mod sk;
pub(crate) mod udp;
pub(crate) mod window;
