//! The secrets of records, before they are sealed.

mod credentials;
mod keys;
mod ppk;

pub use credentials::{AuthMethod, TunnelCertificates};
pub use keys::ChildSaKeys;
pub use ppk::{Ppk, TunnelSecrets};
