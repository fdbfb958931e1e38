//! From an IKE SA to the one that rekeys it (RFC 7296 sections 2.8 and 2.18).

use super::Established;
use crate::context::Context;
use crate::snapshot::State;
use crate::{Change, ChildUpdate, Side, What};

impl Established {
    /// What the fleet has to know so that `heir` takes this one's place, of which `deleter` is to delete what is left.
    /// The child SAs follow when the fleet knows.
    pub(super) fn succession(
        &mut self,
        heir: State,
        deleter: Side,
        cx: &mut Context<'_>,
    ) -> (Vec<Change>, Established) {
        let by = deleter;
        let spis = heir.spis();
        self.report(What::IkeRekeyed { heir: spis, by }, cx.out);
        let mut heir = Established::new(heir, cx.now);
        heir.state.children = std::mem::take(&mut self.state.children);
        let mut changes = vec![heir.put()];
        changes.extend(heir.state.children.iter().map(|child| Change::UpdateChild {
            inbound_spi: child.spis.inbound,
            update: ChildUpdate::MoveTo(spis),
        }));
        self.state.replaced = Some(deleter);
        changes.push(self.put());
        self.state.children = std::mem::take(&mut heir.state.children);
        (changes, heir)
    }

    /// The fleet knows the heirs: the first gets the child SAs, and what is still to be asked about them.
    pub(super) fn bequeath(&mut self, heirs: &mut [Established]) {
        if let Some(heir) = heirs.first_mut() {
            heir.state.children = std::mem::take(&mut self.state.children);
            heir.requests.adopt(&mut self.requests);
        }
        self.until = None;
    }
}
