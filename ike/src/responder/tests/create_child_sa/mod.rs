//! CREATE_CHILD_SA and IKE_FOLLOWUP_KE, by either side and by both at once.

pub(super) mod create_child;
mod customer_rekeys;
mod follow_up;
mod interleavings;
mod rekey_child;
pub(super) mod rekey_ike;

use super::*;
