//! What edges and operators call: connections, the two services, and an edge's session.

pub(crate) mod accept;
mod caller;
mod connection;
pub(crate) mod context;
pub(crate) mod edge;
pub(crate) mod feed;
pub(crate) mod operator;
mod refused;
mod session;
mod sources;
mod status;
pub(crate) mod tls;
