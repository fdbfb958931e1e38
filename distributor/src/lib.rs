//! The distributor: it orders, stores and streams what edges and operators publish.

#![forbid(unsafe_code)]

mod config;
mod role;

pub use config::{Config, Limits, TlsFiles};
pub use role::{Role, RoleError};
