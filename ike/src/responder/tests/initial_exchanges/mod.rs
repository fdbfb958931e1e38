//! IKE_SA_INIT, IKE_INTERMEDIATE and IKE_AUTH.

mod certificates;
mod childless;
mod configuration;
mod flood;
mod handshake;
mod intermediate;
mod ppk;
mod refusals;

use super::*;
