//! Between the words of `ike` and those of the fleet's schema. Keys are sealed on the way out and opened on the way in.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use distributor_client::lease::LeaseGrant;
use distributor_client::replica::Replica;
use ike::{ChildUpdate, Secret};
use proto::{
    AuthMethod, ChildSaKeys, InboundSpi, Invalid, Name, Sealed, Timestamp, TrafficSelector,
    TunnelCertificates, TunnelSecrets,
};
use sealing::{FleetKey, NoRandomness, OpenError};
use thiserror::Error;

/// Why something the responder wants cannot be put into the fleet's words.
#[derive(Debug, Error)]
pub(crate) enum CommitError {
    /// It breaks a rule of the schema.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It cannot be sealed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The child SA that it changes is not there.
    #[error("child SA {0:#010x} is not among the fleet's records")]
    NoChildSa(u32),
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
    pub(crate) fn commit(
        &self,
        commit: ike::Commit,
        replica: &Replica,
    ) -> Result<proto::Commit, CommitError> {
        let changes = commit
            .changes
            .into_iter()
            .map(|change| self.change(change, replica));
        Ok(proto::Commit {
            changes: changes.collect::<Result<_, _>>()?,
            deadline: None,
            incarnation: self.grant.incarnation,
        })
    }

    fn change(&self, change: ike::Change, replica: &Replica) -> Result<proto::Change, CommitError> {
        Ok(match change {
            ike::Change::PutIke(sa) => proto::Change::PutIkeSa(self.ike_sa(&sa, replica)?),
            ike::Change::PutChild(sa) => proto::Change::PutChildSa(self.child_sa(&sa, replica)?),
            ike::Change::UpdateChild { inbound_spi, update } => {
                proto::Change::PutChildSa(self.updated_child_sa(inbound_spi, update, replica)?)
            }
            ike::Change::RemoveChild(spi) => proto::Change::RemoveChildSa(InboundSpi::try_from(spi)?),
            ike::Change::RemoveIke(spis) => proto::Change::RemoveIkeSa(spis.responder),
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

    fn child_sa(&self, sa: &ike::ChildSa, replica: &Replica) -> Result<Sealed<proto::ChildSa>, CommitError> {
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
        Ok(sealing::seal_record(self.fleet_key, header, &keys.encode())?)
    }

    /// The child SA as the fleet has it, but for one thing. It is sealed anew, since its header is a part of the seal.
    fn updated_child_sa(
        &self,
        inbound_spi: u32,
        update: ChildUpdate,
        replica: &Replica,
    ) -> Result<Sealed<proto::ChildSa>, CommitError> {
        let sealed = replica
            .child_sa(InboundSpi::try_from(inbound_spi)?)
            .ok_or(CommitError::NoChildSa(inbound_spi))?;
        let mut header = sealed.header().clone();
        match update {
            ChildUpdate::Activate => header.precedence = next_precedence(replica),
            ChildUpdate::MoveTo(heir) => header.ike = heir,
            ChildUpdate::Path { path, udp_encap } => {
                (header.local, header.peer) = (path.local, path.peer);
                header.udp_encap = udp_encap;
            }
        }
        let secret = sealing::open_record(self.fleet_key, sealed)?;
        Ok(sealing::seal_record(self.fleet_key, header, &secret)?)
    }
}

/// Higher than any that this edge has seen: the revision of a commit is higher than what its author knew.
fn next_precedence(replica: &Replica) -> u64 {
    replica.position().map_or(0, |position| position.revision) + 1
}

/// Why a tunnel's credentials are of no use.
#[derive(Debug, Error)]
pub(crate) enum CredentialsError {
    /// They do not open.
    #[error(transparent)]
    Sealed(#[from] OpenError),
    /// What was sealed is not what the record's header says.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The certificates are none for a tunnel.
    #[error(transparent)]
    Certificates(#[from] ike::CredentialError),
}

/// A tunnel for the responder, its credentials opened.
pub(crate) fn tunnel(
    fleet_key: &FleetKey,
    sealed: &Sealed<proto::Tunnel>,
) -> Result<ike::Tunnel, CredentialsError> {
    let header = sealed.header();
    let (secret, ppk) = secrets(header.ppk.as_ref(), sealing::open_record(fleet_key, sealed)?)?;
    Ok(ike::Tunnel {
        name: String::from(&header.name),
        remote_id: header.remote_id.clone(),
        local_id: header.local_id.clone(),
        credentials: credentials(header.auth, secret)?,
        ppk,
        esp: header.esp.clone(),
        local_ts: header.local_ts.iter().map(TrafficSelector::from).collect(),
        remote_ts: header.remote_ts.iter().map(TrafficSelector::from).collect(),
        addresses: header.addresses.clone(),
        redirect: header.redirect.clone(),
    })
}

/// What the credentials are made of, and the PPK beside them.
fn secrets(ppk: Option<&proto::Ppk>, secret: Secret) -> Result<(Secret, Option<ike::Ppk>), Invalid> {
    let Some(header) = ppk else {
        return Ok((secret, None));
    };
    let TunnelSecrets { credentials, ppk } = TunnelSecrets::decode(secret.expose())?;
    let ppk = ike::Ppk {
        id: header.id.clone(),
        key: ppk,
        required: header.required,
    };
    Ok((credentials, Some(ppk)))
}

fn credentials(method: AuthMethod, secret: Secret) -> Result<ike::Credentials, CredentialsError> {
    Ok(match method {
        AuthMethod::Psk => ike::Credentials::Psk(secret),
        AuthMethod::Certificates => {
            let TunnelCertificates {
                anchors,
                crls,
                chain,
                key,
            } = TunnelCertificates::decode(secret.expose())?;
            let certificates = ike::Certificates::new(&anchors, &crls, &chain, &key)?;
            ike::Credentials::Certificates(Arc::new(certificates))
        }
    })
}

#[cfg(test)]
mod tests;
