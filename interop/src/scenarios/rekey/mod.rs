//! Keys are replaced.

pub(crate) mod rekey;
