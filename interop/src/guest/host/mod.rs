//! Where things run, and how they are started and ended.
//!
//! - [`namespace`]: a host of the lab; [`process`]: a program on it;
//! - [`service`] with [`holder`]: a program run as a service manager would run it;
//! - [`server`], [`shell`]: a host that someone sets up by hand, and where they type.

pub mod holder;
pub mod namespace;
pub mod process;
pub mod record;
pub mod server;
pub mod service;
pub mod shell;
