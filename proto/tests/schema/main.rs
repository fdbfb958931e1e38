//! The wire and the domain types say the same, and nothing that breaks the schema's rules gets in.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod any;
mod hostile;
mod round_trip;
mod rules;
