//! What is sent: pings, a flow that numbers its datagrams, octets that mean nothing.

pub mod flow;
pub mod noise;
pub mod ping;
