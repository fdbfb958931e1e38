//! ESP SAs.

mod cipher;
pub(crate) mod codec;
