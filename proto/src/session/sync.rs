//! An edge's session with the distributor.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::fields::{list, required};
use crate::{Applied, Invalid, Record, Slot, v1};

/// What an edge says in its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToDistributor {
    /// First, and only then.
    Hello(Hello),
    /// After every [`Delta`] with a revision, and whenever the failures change.
    Applied(Applied),
    /// At a third of the lease's time to live.
    Heartbeat(Heartbeat),
}

/// Opens a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Unicast; takes IKE messages for the SAs this edge owns.
    pub forward: SocketAddr,
    /// What the edge has already; `None` asks for a snapshot.
    pub resume: Option<Resume>,
    /// What this process was given at its first session.
    pub incarnation: Option<u32>,
}

/// Everything up to a revision of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// As [`Lease::store`] named it.
    pub store: u64,
    /// Not 0.
    pub revision: u64,
}

/// Renews the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Comes back in the [`Lease`] that answers it; not 0.
    pub number: u64,
}

/// What the distributor says in an edge's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromDistributor {
    /// Answers [`Hello`] and every [`Heartbeat`].
    Lease(Lease),
    /// The deltas up to and including the next one with a revision are the whole state.
    SnapshotBegin,
    /// What has changed.
    Delta(Delta),
}

/// The edge's right to its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The edge's number.
    pub slot: Slot,
    /// Of this process; never given twice by one store.
    pub incarnation: u32,
    /// From the moment the edge sent what this answers.
    pub ttl: Duration,
    /// The number of the heartbeat it answers; `None`: the hello.
    pub heartbeat: Option<u64>,
    /// Names the store whose revisions the stream carries.
    pub store: u64,
}

/// Records in the order of their revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// May be empty.
    pub records: Vec<Record>,
    /// With these the edge has everything up to this revision; `None`: the next delta goes on.
    pub revision: Option<u64>,
}

impl TryFrom<v1::SyncRequest> for ToDistributor {
    type Error = Invalid;

    fn try_from(wire: v1::SyncRequest) -> Result<Self, Invalid> {
        use v1::sync_request::Message;
        match required("message", wire.message)? {
            Message::Hello(hello) => hello
                .try_into()
                .map(Self::Hello)
                .map_err(|e: Invalid| e.within("hello")),
            Message::Applied(applied) => applied
                .try_into()
                .map(Self::Applied)
                .map_err(|e: Invalid| e.within("applied")),
            Message::Heartbeat(v1::Heartbeat { number: 0 }) => Err(Invalid::missing("heartbeat.number")),
            Message::Heartbeat(v1::Heartbeat { number }) => Ok(Self::Heartbeat(Heartbeat { number })),
        }
    }
}

impl From<&ToDistributor> for v1::SyncRequest {
    fn from(message: &ToDistributor) -> Self {
        use v1::sync_request::Message;
        let message = match message {
            ToDistributor::Hello(hello) => Message::Hello(hello.into()),
            ToDistributor::Applied(applied) => Message::Applied(applied.into()),
            ToDistributor::Heartbeat(heartbeat) => Message::Heartbeat(v1::Heartbeat {
                number: heartbeat.number,
            }),
        };
        Self {
            message: Some(message),
        }
    }
}

impl TryFrom<v1::Hello> for Hello {
    type Error = Invalid;

    fn try_from(wire: v1::Hello) -> Result<Self, Invalid> {
        let resume = Resume {
            store: wire.store,
            revision: wire.resume_revision,
        };
        Ok(Self {
            forward: required("forward", wire.forward)?
                .try_into()
                .map_err(|e: Invalid| e.within("forward"))?,
            resume: (resume.revision != 0).then_some(resume),
            incarnation: (wire.incarnation != 0).then_some(wire.incarnation),
        })
    }
}

impl From<&Hello> for v1::Hello {
    fn from(hello: &Hello) -> Self {
        Self {
            forward: Some(hello.forward.into()),
            resume_revision: hello.resume.map_or(0, |resume| resume.revision),
            store: hello.resume.map_or(0, |resume| resume.store),
            incarnation: hello.incarnation.unwrap_or_default(),
        }
    }
}

impl TryFrom<v1::SyncResponse> for FromDistributor {
    type Error = Invalid;

    fn try_from(wire: v1::SyncResponse) -> Result<Self, Invalid> {
        use v1::sync_response::Message;
        match required("message", wire.message)? {
            Message::Lease(lease) => lease
                .try_into()
                .map(Self::Lease)
                .map_err(|e: Invalid| e.within("lease")),
            Message::SnapshotBegin(v1::SnapshotBegin {}) => Ok(Self::SnapshotBegin),
            Message::Delta(delta) => delta
                .try_into()
                .map(Self::Delta)
                .map_err(|e: Invalid| e.within("delta")),
        }
    }
}

impl TryFrom<v1::Lease> for Lease {
    type Error = Invalid;

    fn try_from(wire: v1::Lease) -> Result<Self, Invalid> {
        if wire.incarnation == 0 {
            return Err(Invalid::missing("incarnation"));
        }
        Ok(Self {
            slot: Slot::try_from(wire.slot)?,
            incarnation: wire.incarnation,
            ttl: Duration::from_millis(wire.ttl_ms.into()),
            heartbeat: (wire.heartbeat != 0).then_some(wire.heartbeat),
            store: wire.store,
        })
    }
}

impl From<&Lease> for v1::Lease {
    fn from(lease: &Lease) -> Self {
        Self {
            slot: lease.slot.get().into(),
            incarnation: lease.incarnation,
            ttl_ms: lease.ttl.as_millis().try_into().unwrap_or(u32::MAX),
            heartbeat: lease.heartbeat.unwrap_or_default(),
            store: lease.store,
        }
    }
}

/// A record's smallest encoding (an empty one cannot be told from nothing) bounds their number within a message.
impl TryFrom<v1::Delta> for Delta {
    type Error = Invalid;

    fn try_from(wire: v1::Delta) -> Result<Self, Invalid> {
        let most = crate::limits::MESSAGE;
        Ok(Self {
            records: list("records", wire.records, most, |octets: Bytes| {
                Record::decode(octets)
            })?,
            revision: (wire.revision != 0).then_some(wire.revision),
        })
    }
}
