//! Makes records of what the responder commits: fills in what only the fleet knows, and seals the keys.

use std::time::{Duration, SystemTime};

use distributor_client::lease::LeaseGrant;
use distributor_client::replica::Replica;
use ike::ChildUpdate;
use proto::{Change, ChildSaKeys, InboundSpi, Invalid, Name, Sealed, Timestamp};
use sealing::{FleetKey, NoRandomness, OpenError};
use thiserror::Error;

use super::draft::{Child, Draft};

/// Why a commit of the responder's cannot be made into records.
#[derive(Debug, Error)]
pub(crate) enum CommitError {
    /// It breaks a rule of the schema.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It cannot be sealed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The child SA that it changes is not there.
    #[error("child SA {0} is not among the fleet's records")]
    NoChildSa(InboundSpi),
    /// The child SA that it changes does not open.
    #[error("the keys of the child SA to be changed do not open: {0}")]
    Sealed(#[from] OpenError),
}

/// What the records of a commit say beyond what the responder knows.
pub(crate) struct Author<'a> {
    pub(crate) fleet_key: &'a FleetKey,
    pub(crate) grant: &'a LeaseGrant,
    pub(crate) sa_lifetime: Duration,
    pub(crate) now: SystemTime,
}

impl Author<'_> {
    /// The commit as the distributor takes it.
    pub(super) fn commit(
        &self,
        commit: ike::Commit,
        replica: &Replica,
    ) -> Result<proto::Commit, CommitError> {
        let mut draft = Draft::default();
        for change in commit.changes {
            match change {
                ike::Change::PutIke(sa) => draft.push(Change::PutIkeSa(self.ike_sa(&sa, replica)?)),
                ike::Change::PutChild(sa) => draft.put(self.child_sa(&sa, replica)?),
                ike::Change::UpdateChild { inbound_spi, update } => {
                    let spi = InboundSpi::try_from(inbound_spi)?;
                    let Some(header) = draft.change(spi, || self.known_child_sa(spi, replica))? else {
                        // The responder will hear of it. What the commit says of others must not wait for that.
                        continue;
                    };
                    apply(update, header, replica);
                    if matches!(update, ChildUpdate::MoveTo(_)) {
                        draft.place_here(spi);
                    }
                }
                ike::Change::RemoveChild(spi) => draft.remove(InboundSpi::try_from(spi)?),
                ike::Change::RemoveIke(spis) => draft.push(Change::RemoveIkeSa(spis.responder)),
            }
        }
        Ok(proto::Commit {
            changes: draft.seal(self.fleet_key)?,
            deadline: None,
            incarnation: self.grant.incarnation,
        })
    }

    fn ike_sa(&self, sa: &ike::IkeSa, replica: &Replica) -> Result<Sealed<proto::IkeSa>, CommitError> {
        let known = replica.ike_sa(sa.spis.responder);
        let header = proto::IkeSa {
            spis: sa.spis,
            slot: self.grant.slot,
            epoch: known.map_or(1, |known| known.epoch),
            tunnel: sa.tunnel.parse::<Name>()?,
            remote_id: sa.remote_id.clone().validated()?,
            local: sa.path.local,
            peer: sa.path.peer,
            initial_contact: sa.initial_contact,
            created: known.map_or(self.now.into(), |known| known.created),
        };
        Ok(sealing::seal_record(self.fleet_key, header, &sa.snapshot)?)
    }

    fn child_sa(&self, sa: &ike::ChildSa, replica: &Replica) -> Result<Child, CommitError> {
        let created = Timestamp::from(self.now);
        let precedence = match sa.standby {
            true => 0,
            false => next_precedence(replica),
        };
        let header = proto::ChildSa {
            inbound_spi: InboundSpi::try_from(sa.inbound_spi)?,
            outbound_spi: sa.outbound_spi,
            ike: sa.ike,
            tunnel: sa.tunnel.parse::<Name>()?,
            local: sa.path.local,
            peer: sa.path.peer,
            udp_encap: sa.udp_encap,
            suite: sa.suite,
            local_ts: sa.local_ts.clone(),
            remote_ts: sa.remote_ts.clone(),
            created,
            expires: created.after(self.sa_lifetime),
            precedence,
        };
        let keys = ChildSaKeys {
            inbound: sa.inbound_key.clone(),
            outbound: sa.outbound_key.clone(),
        };
        Ok(Child {
            header,
            secret: keys.encode(),
        })
    }

    /// The child SA as the fleet has it; `None` when it has been deleted.
    fn known_child_sa(&self, spi: InboundSpi, replica: &Replica) -> Result<Option<Child>, CommitError> {
        let Some(sealed) = replica.child_sa(spi) else {
            // Nothing but its tombstone.
            let is_deleted = replica.is_esp_spi_taken(spi.get());
            return is_deleted.then_some(None).ok_or(CommitError::NoChildSa(spi));
        };
        Ok(Some(Child {
            header: sealed.header().clone(),
            secret: sealing::open_record(self.fleet_key, sealed)?,
        }))
    }
}

fn apply(update: ChildUpdate, header: &mut proto::ChildSa, replica: &Replica) {
    match update {
        ChildUpdate::Activate => header.precedence = next_precedence(replica),
        ChildUpdate::MoveTo(replacement) => header.ike = replacement,
        ChildUpdate::Path { path, udp_encap } => {
            (header.local, header.peer) = (path.local, path.peer);
            header.udp_encap = udp_encap;
        }
    }
}

/// Higher than any that this edge has seen: the revision of a commit is higher than what its author knew.
fn next_precedence(replica: &Replica) -> u64 {
    replica.position().map_or(0, |position| position.revision) + 1
}

#[cfg(test)]
mod tests;
