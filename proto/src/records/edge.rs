//! An edge, as the others need to know it.

use std::net::SocketAddr;

use crate::fields::required;
use crate::{Invalid, Name, Slot, v1};

/// An edge. It stays known for a day after it was last heard of, because its kernel may still send: the number of
/// these records is the number of senders that share an outbound key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The record's key.
    pub slot: Slot,
    /// As its certificate has it.
    pub name: Name,
    /// Unicast; takes IKE messages for the SAs this edge owns.
    pub forward: SocketAddr,
    /// Of the process that has the slot now; never given twice and never 0.
    pub incarnation: u32,
}

impl TryFrom<v1::Edge> for Edge {
    type Error = Invalid;

    fn try_from(wire: v1::Edge) -> Result<Self, Invalid> {
        if wire.incarnation == 0 {
            return Err(Invalid::missing("incarnation"));
        }
        Ok(Self {
            slot: Slot::try_from(wire.slot)?,
            name: wire.name.parse()?,
            forward: required("forward", wire.forward)?
                .try_into()
                .map_err(|e: Invalid| e.within("forward"))?,
            incarnation: wire.incarnation,
        })
    }
}

impl From<&Edge> for v1::Edge {
    fn from(edge: &Edge) -> Self {
        Self {
            slot: edge.slot.get().into(),
            name: String::from(&edge.name),
            forward: Some(edge.forward.into()),
            incarnation: edge.incarnation,
        }
    }
}
