//! What the fleet's records and kernels hold, as commits make it.

use std::collections::BTreeMap;

use crate::{Change, ChildSa, ChildUpdate, Commit, IkeSa};

/// What commits have made true.
#[derive(Default)]
pub(super) struct Installed {
    pub(super) ike_sas: BTreeMap<u64, IkeSa>,
    pub(super) children: BTreeMap<u32, (ChildSa, u64)>,
    precedence: u64,
    /// How many there were in all.
    pub(super) ike_sas_made: usize,
    pub(super) children_made: usize,
}

impl Installed {
    /// The fleet refuses to change what was revoked.
    pub(super) fn admits(&self, commit: &Commit) -> bool {
        let knows = |change: &Change| match change {
            Change::UpdateChild { inbound_spi, .. } => self.children.contains_key(inbound_spi),
            _ => true,
        };
        self.ike_sas.contains_key(&commit.ike.responder) && commit.changes.iter().all(knows)
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::PutIke(sa) => {
                let known = self.ike_sas.insert(sa.spis.responder, sa.clone());
                self.ike_sas_made += usize::from(known.is_none());
            }
            Change::RemoveIke(spis) => {
                self.ike_sas.remove(&spis.responder);
                self.children.retain(|_, (child, _)| child.ike != *spis);
            }
            Change::PutChild(child) => {
                self.children_made += 1;
                let precedence = if child.standby { 0 } else { self.next_precedence() };
                self.children
                    .insert(child.inbound_spi, ((**child).clone(), precedence));
            }
            Change::RemoveChild(spi) => {
                self.children.remove(spi);
            }
            Change::UpdateChild { inbound_spi, update } => {
                let next = self.next_precedence();
                let (child, precedence) = self.children.get_mut(inbound_spi).expect("a child SA");
                match update {
                    ChildUpdate::Activate => *precedence = next,
                    ChildUpdate::MoveTo(spis) => child.ike = *spis,
                    ChildUpdate::Path { path, .. } => child.path = *path,
                }
                assert!(
                    self.ike_sas
                        .contains_key(&self.children[inbound_spi].0.ike.responder)
                );
            }
        }
    }

    fn next_precedence(&mut self) -> u64 {
        self.precedence += 1;
        self.precedence
    }

    /// The child SA that kernels send on: of those that send, the one that was told last.
    pub(super) fn sender(&self) -> Option<&ChildSa> {
        let sending = self.children.values().filter(|(_, precedence)| *precedence > 0);
        let latest = sending.max_by_key(|(_, precedence)| *precedence);
        latest.map(|(child, _)| child)
    }
}
