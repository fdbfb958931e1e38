//! What the machine does when it has started: its job, which is a program or scenarios.

pub mod boot;
pub mod scenarios;
