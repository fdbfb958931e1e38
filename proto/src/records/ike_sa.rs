//! What the fleet knows of an IKE SA.

use std::net::SocketAddr;

use super::child_sa::{parse_path, parse_spis};
use crate::fields::required;
use crate::{Header, Identity, IkeSpis, Invalid, Name, Slot, Timestamp, v1};

/// An established IKE SA, the snapshot of its state apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IkeSa {
    /// The responder's SPI is the record's key.
    pub spis: IkeSpis,
    /// The edge that runs it.
    pub slot: Slot,
    /// Rises with every change of owner.
    pub epoch: u64,
    /// Name of the tunnel it authenticated for.
    pub tunnel: Name,
    /// Who the customer proved to be.
    pub remote_id: Identity,
    /// The anycast address and port in use.
    pub local: SocketAddr,
    /// The customer's address and port in use, of the same family.
    pub peer: SocketAddr,
    /// The customer sent INITIAL_CONTACT (RFC 7296 section 2.4). When the record is new, every other IKE SA of the
    /// tunnel and its children go in the same revision.
    pub initial_contact: bool,
    /// When it was established.
    pub created: Timestamp,
}

impl TryFrom<v1::IkeSa> for IkeSa {
    type Error = Invalid;

    fn try_from(wire: v1::IkeSa) -> Result<Self, Invalid> {
        let (local, peer) = parse_path(wire.local, wire.peer)?;
        Ok(Self {
            spis: parse_spis(
                ["initiator_spi", "responder_spi"],
                wire.initiator_spi,
                wire.responder_spi,
            )?,
            slot: Slot::try_from(wire.slot)?,
            epoch: wire.epoch,
            tunnel: wire.tunnel.parse().map_err(|e: Invalid| e.within("tunnel"))?,
            remote_id: required("remote_id", wire.remote_id)?
                .try_into()
                .map_err(|e: Invalid| e.within("remote_id"))?,
            local,
            peer,
            initial_contact: wire.initial_contact,
            created: Timestamp::parse("created_unix_ms", wire.created_unix_ms)?,
        })
    }
}

impl From<&IkeSa> for v1::IkeSa {
    fn from(sa: &IkeSa) -> Self {
        Self {
            initiator_spi: sa.spis.initiator,
            responder_spi: sa.spis.responder,
            slot: sa.slot.get().into(),
            epoch: sa.epoch,
            tunnel: String::from(&sa.tunnel),
            remote_id: Some(v1::Identity::from(&sa.remote_id)),
            local: Some(sa.local.into()),
            peer: Some(sa.peer.into()),
            initial_contact: sa.initial_contact,
            created_unix_ms: sa.created.unix_ms(),
        }
    }
}

impl Header for IkeSa {
    const NAME: &'static str = "ike_sa";
    type Wire = v1::IkeSa;
}
