//! What two peers agree on, and how payloads say so: suites, traffic selectors, child SAs, extensions. Nothing here keeps state.

pub(crate) mod additional_ke;
pub(crate) mod child_sa;
pub(crate) mod configuration;
pub(crate) mod create_child_sa;
pub(crate) mod hashes;
pub(crate) mod informational;
pub(crate) mod mismatch;
pub(crate) mod mobike;
pub(crate) mod nat;
pub(crate) mod proposals;
pub(crate) mod redirect;
mod refusals;
pub(crate) mod selectors;
pub(crate) mod suites;
pub(crate) mod weak;

#[cfg(test)]
mod tests;
