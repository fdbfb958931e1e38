//! An established IKE SA between its rekeys: INFORMATIONAL, retransmissions, where the peer is, and its end.

mod crash;
mod informational;
mod liveness;
mod mobike;
mod nat;
mod rate_limit;
mod redirect;
mod removal;
mod retransmission;

use super::*;
