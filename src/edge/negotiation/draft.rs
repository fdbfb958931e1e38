//! A commit in the making: at most one record for each child SA.
//!
//! `ike` says of a child SA what changes, perhaps several times in a commit; a record is always whole. If each change became a
//! record of its own, made from what the fleet had before the commit, the last would undo the others.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ike::Secret;
use proto::{Change, InboundSpi, Sealed};
use sealing::{FleetKey, NoRandomness};

use super::author::CommitError;

/// Changes in their order, and the child SAs that they speak of.
#[derive(Default)]
pub(super) struct Draft {
    steps: Vec<Step>,
    /// `None`: removed by this commit.
    children: BTreeMap<InboundSpi, Option<Child>>,
}

enum Step {
    Ready(Box<Change>),
    /// Sealed when the whole commit is known.
    Child(InboundSpi),
}

/// A child SA's record before it is sealed, which binds the header.
pub(super) struct Child {
    pub(super) header: proto::ChildSa,
    /// The keys, encoded.
    pub(super) secret: Secret,
}

impl Draft {
    /// A change that is no child SA's.
    pub(super) fn push(&mut self, change: Change) {
        self.steps.push(Step::Ready(Box::new(change)));
    }

    /// A new child SA.
    pub(super) fn put(&mut self, child: Child) {
        let spi = child.header.inbound_spi;
        self.children.insert(spi, Some(child));
        self.place_here(spi);
    }

    /// The header to be changed: as this commit has left it so far, or else as `known`; `None` when the fleet has deleted it.
    ///
    /// # Errors
    /// If the child SA is not known, or this commit has removed it.
    pub(super) fn change(
        &mut self,
        spi: InboundSpi,
        known: impl FnOnce() -> Result<Option<Child>, CommitError>,
    ) -> Result<Option<&mut proto::ChildSa>, CommitError> {
        let child = match self.children.entry(spi) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let Some(child) = known()? else {
                    return Ok(None);
                };
                self.steps.push(Step::Child(spi));
                entry.insert(Some(child))
            }
        };
        let child = child.as_mut().ok_or(CommitError::NoChildSa(spi))?;
        Ok(Some(&mut child.header))
    }

    /// Puts the child SA's record behind all changes so far. One that moves to another IKE SA has to come after that has been
    /// put, and before its old one is removed.
    pub(super) fn place_here(&mut self, spi: InboundSpi) {
        self.take_out(spi);
        self.steps.push(Step::Child(spi));
    }

    /// The child SA is removed, whatever the commit has said of it before.
    pub(super) fn remove(&mut self, spi: InboundSpi) {
        self.take_out(spi);
        self.children.insert(spi, None);
        self.push(Change::RemoveChildSa(spi));
    }

    /// All changes, the child SAs' records sealed.
    pub(super) fn seal(mut self, fleet_key: &FleetKey) -> Result<Vec<Change>, NoRandomness> {
        let mut changes = Vec::with_capacity(self.steps.len());
        for step in self.steps {
            match step {
                Step::Ready(change) => changes.push(*change),
                Step::Child(spi) => {
                    if let Some(child) = self.children.remove(&spi).flatten() {
                        changes.push(Change::PutChildSa(child.seal(fleet_key)?));
                    }
                }
            }
        }
        Ok(changes)
    }

    fn take_out(&mut self, spi: InboundSpi) {
        self.steps
            .retain(|step| !matches!(step, Step::Child(other) if *other == spi));
    }
}

impl Child {
    fn seal(self, fleet_key: &FleetKey) -> Result<Sealed<proto::ChildSa>, NoRandomness> {
        sealing::seal_record(fleet_key, self.header, &self.secret)
    }
}
