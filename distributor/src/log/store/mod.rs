//! Where the log survives.

mod redb;

pub(crate) use redb::Store;
pub use redb::StoreError;
#[cfg(test)]
pub(crate) use redb::tests;
