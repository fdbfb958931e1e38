//! The hosts and the links between them.

pub mod topology;
