//! xfrm interfaces.

pub(crate) mod codec;
