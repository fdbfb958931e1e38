//! Which child has which outbound SA.
//!
//! The kernel finds an SA by destination and SPI alone. Outbound SPIs are the peers' choice: two customers behind one
//! address translator may choose the same, and a hostile one may choose its neighbour's on purpose. Every agent of the
//! fleet must come to the same holder, and no other child may touch the holder's SA.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::Child;
use crate::objects::sa::SaId;

/// The wanted children by their outbound SA.
#[derive(Default)]
pub(crate) struct OutboundHolders {
    /// The oldest child comes first and holds the SA.
    by_sa: BTreeMap<SaId, BTreeSet<(SystemTime, u32)>>,
}

impl OutboundHolders {
    pub(crate) fn add(&mut self, child: &Child) {
        self.by_sa
            .entry(SaId::outbound(child))
            .or_default()
            .insert(rank(child));
    }

    pub(crate) fn remove(&mut self, child: &Child) {
        let id = SaId::outbound(child);
        if let Some(children) = self.by_sa.get_mut(&id) {
            children.remove(&rank(child));
            if children.is_empty() {
                self.by_sa.remove(&id);
            }
        }
    }

    /// The inbound SPI of the child that may have the SA.
    pub(crate) fn holder(&self, id: SaId) -> Option<u32> {
        self.by_sa.get(&id)?.first().map(|(_, inbound_spi)| *inbound_spi)
    }
}

/// Its place among the children that name the same SA.
fn rank(child: &Child) -> (SystemTime, u32) {
    (child.created, child.inbound_spi)
}
