//! CREATE_CHILD_SA and IKE_FOLLOWUP_KE of an established IKE SA, by either side: child SAs are made and rekeyed, and the IKE
//! SA is (RFC 7296 section 1.3, RFC 9370 section 2.2.4).

mod answer;
mod answer_followup;
mod complete;
pub(crate) mod followup;
mod initiate;
mod initiate_followup;
pub(crate) mod pending;
mod refused;
pub(super) mod rekeying;
mod replacement;
mod response;

pub(super) use initiate::release_spi;
