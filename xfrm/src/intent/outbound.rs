//! Who may have which outbound SA.
//!
//! The kernel finds an SA by destination and SPI alone. Outbound SPIs are the peers' choice: two customers behind one
//! address translator may choose the same, and a hostile one may choose its neighbour's on purpose. Every agent of the
//! fleet must come to the same holder, and no claimant may touch the holder's SA.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::Child;
use crate::objects::SaId;

/// The wanted children by their outbound SA.
#[derive(Default)]
pub(crate) struct Claims {
    /// The oldest child comes first and holds the SA.
    by_sa: BTreeMap<SaId, BTreeSet<(SystemTime, u32)>>,
}

impl Claims {
    pub(crate) fn add(&mut self, child: &Child) {
        self.by_sa
            .entry(SaId::outbound(child))
            .or_default()
            .insert(claim(child));
    }

    pub(crate) fn remove(&mut self, child: &Child) {
        let id = SaId::outbound(child);
        if let Some(claims) = self.by_sa.get_mut(&id) {
            claims.remove(&claim(child));
            if claims.is_empty() {
                self.by_sa.remove(&id);
            }
        }
    }

    /// The inbound SPI of the child that may have the SA.
    pub(crate) fn holder(&self, id: SaId) -> Option<u32> {
        self.by_sa.get(&id)?.first().map(|(_, inbound_spi)| *inbound_spi)
    }
}

fn claim(child: &Child) -> (SystemTime, u32) {
    (child.created, child.inbound_spi)
}
