//! IPsec policies.

pub(crate) mod codec;
