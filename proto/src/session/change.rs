//! What an edge asks the distributor to make true.

use std::time::Duration;

use crate::fields::{list, required};
use crate::{ChildSa, IkeSa, InboundSpi, Invalid, Key, Sealed, limits, v1};

/// One change that an edge may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new child SA.
    PutChildSa(Sealed<ChildSa>),
    /// A new IKE SA, or a new state of one.
    PutIkeSa(Sealed<IkeSa>),
    /// The child SA with this inbound SPI is gone.
    RemoveChildSa(InboundSpi),
    /// The IKE SA with this responder SPI is gone, and its children with it.
    RemoveIkeSa(u64),
}

/// Changes that take effect together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// At least one and at most [`limits::CHANGES`].
    pub changes: Vec<Change>,
    /// How long to wait for the edges; `None`: the distributor's default.
    pub deadline: Option<Duration>,
    /// The caller's, from its [`crate::Lease`].
    pub incarnation: u32,
}

impl TryFrom<v1::CommitRequest> for Commit {
    type Error = Invalid;

    fn try_from(wire: v1::CommitRequest) -> Result<Self, Invalid> {
        if wire.changes.is_empty() {
            return Err(Invalid::missing("changes"));
        }
        let deadline = Duration::from_millis(wire.deadline_ms.into());
        Ok(Self {
            changes: list("changes", wire.changes, limits::CHANGES, Change::try_from)?,
            deadline: (!deadline.is_zero()).then_some(deadline),
            incarnation: wire.incarnation,
        })
    }
}

impl From<&Commit> for v1::CommitRequest {
    fn from(commit: &Commit) -> Self {
        let deadline_ms = commit.deadline.map_or(0, |deadline| {
            u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX).max(1)
        });
        let changes = commit.changes.iter().map(v1::Change::from).collect();
        Self {
            changes,
            deadline_ms,
            incarnation: commit.incarnation,
        }
    }
}

impl TryFrom<v1::Change> for Change {
    type Error = Invalid;

    fn try_from(wire: v1::Change) -> Result<Self, Invalid> {
        use v1::change::Change as Wire;
        match required("change", wire.change)? {
            Wire::PutChildSa(sealed) => Ok(Self::PutChildSa(sealed.try_into()?)),
            Wire::PutIkeSa(sealed) => Ok(Self::PutIkeSa(sealed.try_into()?)),
            Wire::Remove(key) => match Key::try_from(key).map_err(|e| e.within("remove"))? {
                Key::ChildSa(spi) => Ok(Self::RemoveChildSa(spi)),
                Key::IkeSa(spi) => Ok(Self::RemoveIkeSa(spi)),
                key @ (Key::Tunnel(_) | Key::Edge(_)) => Err(Invalid::new(
                    "remove",
                    format_args!("{key}"),
                    "is not for an edge to remove",
                )),
            },
        }
    }
}

impl From<&Change> for v1::Change {
    fn from(change: &Change) -> Self {
        use v1::change::Change as Wire;
        let change = match change {
            Change::PutChildSa(sealed) => Wire::PutChildSa(sealed.into()),
            Change::PutIkeSa(sealed) => Wire::PutIkeSa(sealed.into()),
            Change::RemoveChildSa(spi) => Wire::Remove((&Key::ChildSa(*spi)).into()),
            Change::RemoveIkeSa(spi) => Wire::Remove((&Key::IkeSa(*spi)).into()),
        };
        Self { change: Some(change) }
    }
}
