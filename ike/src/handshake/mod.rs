//! The initial exchanges (RFC 7296 section 1.2): from the first message of a peer to an IKE SA.

pub(crate) mod cookie;
pub(crate) mod half_open;
pub(crate) mod ike_auth;
pub(crate) mod ike_intermediate;
pub(crate) mod ike_sa_init;
