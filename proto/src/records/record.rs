//! One entry of the store.

use bytes::Bytes;
use prost::Message;

use crate::fields::required;
use crate::{ChildSa, Edge, IkeSa, Invalid, Key, Sealed, Timestamp, Tunnel, v1};

/// One entry of the store. At most one lives under a key; a tombstone takes the place of what was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The change that wrote it; rises by one with every commit.
    pub revision: u64,
    /// What it says.
    pub body: Body,
}

/// The kinds of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Secret: the pre-shared key.
    Tunnel(Sealed<Tunnel>),
    /// Secret: [`crate::ChildSaKeys`].
    ChildSa(Sealed<ChildSa>),
    /// Secret: the snapshot of the IKE state.
    IkeSa(Sealed<IkeSa>),
    /// An edge.
    Edge(Edge),
    /// What was there is gone.
    Tombstone(Tombstone),
}

/// Tells every edge that a record is gone, and keeps its key from being used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// What is gone.
    pub key: Key,
    /// Since when.
    pub deleted: Timestamp,
}

impl Record {
    /// What names it.
    pub fn key(&self) -> Key {
        match &self.body {
            Body::Tunnel(sealed) => Key::Tunnel(sealed.header().name.clone()),
            Body::ChildSa(sealed) => Key::ChildSa(sealed.header().inbound_spi),
            Body::IkeSa(sealed) => Key::IkeSa(sealed.header().spis.responder),
            Body::Edge(edge) => Key::Edge(edge.slot),
            Body::Tombstone(tombstone) => tombstone.key.clone(),
        }
    }

    /// The octets of the schema's `Record`.
    pub fn encode(&self) -> Bytes {
        v1::Record::from(self).encode_to_vec().into()
    }

    /// Reads what [`Record::encode`] wrote. The record shares the memory of `octets`.
    pub fn decode(octets: Bytes) -> Result<Self, Invalid> {
        let length = octets.len();
        let wire = v1::Record::decode(octets).map_err(|error| {
            Invalid::new(
                "record",
                length,
                format!("octets are not an encoded record: {error}"),
            )
        })?;
        wire.try_into()
    }
}

impl TryFrom<v1::Record> for Record {
    type Error = Invalid;

    fn try_from(wire: v1::Record) -> Result<Self, Invalid> {
        use v1::record::Body as Wire;
        let body = match required("body", wire.body)? {
            Wire::Tunnel(sealed) => Body::Tunnel(sealed.try_into()?),
            Wire::ChildSa(sealed) => Body::ChildSa(sealed.try_into()?),
            Wire::IkeSa(sealed) => Body::IkeSa(sealed.try_into()?),
            Wire::Edge(edge) => Body::Edge(edge.try_into().map_err(|e: Invalid| e.within("edge"))?),
            Wire::Tombstone(tombstone) => {
                Body::Tombstone(tombstone.try_into().map_err(|e: Invalid| e.within("tombstone"))?)
            }
        };
        Ok(Self {
            revision: wire.revision,
            body,
        })
    }
}

impl From<&Record> for v1::Record {
    fn from(record: &Record) -> Self {
        use v1::record::Body as Wire;
        let body = match &record.body {
            Body::Tunnel(sealed) => Wire::Tunnel(sealed.into()),
            Body::ChildSa(sealed) => Wire::ChildSa(sealed.into()),
            Body::IkeSa(sealed) => Wire::IkeSa(sealed.into()),
            Body::Edge(edge) => Wire::Edge(edge.into()),
            Body::Tombstone(tombstone) => Wire::Tombstone(tombstone.into()),
        };
        Self {
            revision: record.revision,
            body: Some(body),
        }
    }
}

impl TryFrom<v1::Tombstone> for Tombstone {
    type Error = Invalid;

    fn try_from(wire: v1::Tombstone) -> Result<Self, Invalid> {
        Ok(Self {
            key: required("key", wire.key)?
                .try_into()
                .map_err(|e: Invalid| e.within("key"))?,
            deleted: Timestamp::parse("deleted_unix_ms", wire.deleted_unix_ms)?,
        })
    }
}

impl From<&Tombstone> for v1::Tombstone {
    fn from(tombstone: &Tombstone) -> Self {
        Self {
            key: Some((&tombstone.key).into()),
            deleted_unix_ms: tombstone.deleted.unix_ms(),
        }
    }
}
