//! The ordered log: the state in memory, the transactions that change it, and the store that it survives in.

pub(crate) mod state;
pub(crate) mod store;
pub(crate) mod transaction;
pub(crate) mod writer;
