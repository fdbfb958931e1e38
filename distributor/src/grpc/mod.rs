//! What edges and operators call: connections, the two services, and an edge's session.

pub(crate) mod accept;
pub(crate) mod context;
pub(crate) mod edge;
pub(crate) mod feed;
pub(crate) mod operator;
mod session;
pub(crate) mod tls;
