//! Between the words of `ike` and those of the fleet's schema. Keys are sealed on the way out and opened on the way in.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ike::{ChildUpdate, Secret};
use proto::{
    AuthMethod, ChildSaKeys, InboundSpi, Invalid, Name, Sealed, Timestamp, TunnelCertificates, TunnelSecrets,
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::lease::Tenure;
use super::replica::Replica;
use crate::fleet_key::FleetKey;
use crate::identity;
use crate::seal::{self, NoRandomness, OpenError};

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
    pub(crate) tenure: &'a Tenure,
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
            incarnation: self.tenure.incarnation,
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
            spis: ike_spis(sa.spis),
            slot: self.tenure.slot,
            epoch: known.map_or(1, |known| known.epoch),
            tunnel: sa.tunnel.parse::<Name>()?,
            remote_id: identity::from_ike(&sa.remote_id)?,
            local: sa.path.local,
            peer: sa.path.peer,
            initial_contact: sa.initial_contact,
            created: known.map_or(self.now.into(), |known| known.created),
        };
        Ok(seal::seal_record(self.fleet_key, header, &sa.snapshot)?)
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
            ike: ike_spis(sa.ike),
            tunnel: sa.tunnel.parse::<Name>()?,
            local: sa.path.local,
            peer: sa.path.peer,
            udp_encap: sa.udp_encap,
            suite: esp_to_fleet(sa.suite),
            local_ts: sa
                .local_ts
                .iter()
                .map(selector_to_fleet)
                .collect::<Result<_, _>>()?,
            remote_ts: sa
                .remote_ts
                .iter()
                .map(selector_to_fleet)
                .collect::<Result<_, _>>()?,
            created,
            expires: created.after(self.sa_lifetime),
            precedence,
        };
        let keys = ChildSaKeys {
            inbound: Zeroizing::new(sa.inbound_key.expose().to_vec()),
            outbound: Zeroizing::new(sa.outbound_key.expose().to_vec()),
        };
        let secret = Secret::new(std::mem::take(&mut *keys.encode()));
        Ok(seal::seal_record(self.fleet_key, header, &secret)?)
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
            ChildUpdate::MoveTo(heir) => header.ike = ike_spis(heir),
            ChildUpdate::Path { path, udp_encap } => {
                (header.local, header.peer) = (path.local, path.peer);
                header.udp_encap = udp_encap;
            }
        }
        let secret = seal::open_record(self.fleet_key, sealed)?;
        Ok(seal::seal_record(self.fleet_key, header, &secret)?)
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
    let (secret, ppk) = secrets(header.ppk.as_ref(), seal::open_record(fleet_key, sealed)?)?;
    Ok(ike::Tunnel {
        name: String::from(&header.name),
        remote_id: identity::to_ike(&header.remote_id),
        local_id: header.local_id.as_ref().map(identity::to_ike),
        credentials: credentials(header.auth, secret)?,
        ppk,
        esp: header.esp.iter().copied().map(esp_to_ike).collect(),
        local_ts: header.local_ts.iter().map(selector_to_ike).collect(),
        remote_ts: header.remote_ts.iter().map(selector_to_ike).collect(),
        addresses: header.addresses.clone(),
        redirect: header.redirect.as_ref().map(gateway_to_ike),
    })
}

pub(crate) fn slot_to_ike(slot: proto::Slot) -> ike::Slot {
    ike::Slot::new(slot.get()).expect("both crates' slots are 1 to 1023")
}

pub(crate) fn slot_to_fleet(slot: ike::Slot) -> proto::Slot {
    proto::Slot::new(slot.get()).expect("both crates' slots are 1 to 1023")
}

/// What the credentials are made of, and the PPK beside them.
fn secrets(ppk: Option<&proto::Ppk>, secret: Secret) -> Result<(Secret, Option<ike::Ppk>), Invalid> {
    let Some(header) = ppk else {
        return Ok((secret, None));
    };
    let TunnelSecrets { credentials, ppk } = TunnelSecrets::decode(secret.expose())?;
    let ppk = ike::Ppk {
        id: header.id.as_ref().into(),
        key: Secret::new(ppk.to_vec()),
        required: header.required,
    };
    Ok((Secret::new(credentials.to_vec()), Some(ppk)))
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
            let certificates = ike::Certificates::new(&anchors, &crls, &chain, &Secret::new(key.to_vec()))?;
            ike::Credentials::Certificates(Arc::new(certificates))
        }
    })
}

pub(crate) fn spis_to_ike(spis: proto::IkeSpis) -> ike::IkeSpis {
    ike::IkeSpis {
        initiator: spis.initiator,
        responder: spis.responder,
    }
}

fn ike_spis(spis: ike::IkeSpis) -> proto::IkeSpis {
    proto::IkeSpis {
        initiator: spis.initiator,
        responder: spis.responder,
    }
}

fn esp_to_fleet(suite: ike::EspSuite) -> proto::EspSuite {
    let hmac = |integrity| match integrity {
        ike::Integrity::HmacSha256 => proto::Integrity::HmacSha256,
        ike::Integrity::HmacSha384 => proto::Integrity::HmacSha384,
        ike::Integrity::HmacSha512 => proto::Integrity::HmacSha512,
    };
    match suite {
        ike::EspSuite::Encrypted(ike::Cipher::Aes128Gcm16) => proto::EspSuite::Aes128Gcm16,
        ike::EspSuite::Encrypted(ike::Cipher::Aes256Gcm16) => proto::EspSuite::Aes256Gcm16,
        ike::EspSuite::Encrypted(ike::Cipher::ChaCha20Poly1305) => proto::EspSuite::ChaCha20Poly1305,
        ike::EspSuite::Encrypted(ike::Cipher::Aes128Cbc(it)) => proto::EspSuite::Aes128Cbc(hmac(it)),
        ike::EspSuite::Encrypted(ike::Cipher::Aes256Cbc(it)) => proto::EspSuite::Aes256Cbc(hmac(it)),
        ike::EspSuite::Null(it) => proto::EspSuite::Null(hmac(it)),
    }
}

fn esp_to_ike(suite: proto::EspSuite) -> ike::EspSuite {
    let hmac = |integrity| match integrity {
        proto::Integrity::HmacSha256 => ike::Integrity::HmacSha256,
        proto::Integrity::HmacSha384 => ike::Integrity::HmacSha384,
        proto::Integrity::HmacSha512 => ike::Integrity::HmacSha512,
    };
    ike::EspSuite::Encrypted(match suite {
        proto::EspSuite::Aes128Gcm16 => ike::Cipher::Aes128Gcm16,
        proto::EspSuite::Aes256Gcm16 => ike::Cipher::Aes256Gcm16,
        proto::EspSuite::ChaCha20Poly1305 => ike::Cipher::ChaCha20Poly1305,
        proto::EspSuite::Aes128Cbc(it) => ike::Cipher::Aes128Cbc(hmac(it)),
        proto::EspSuite::Aes256Cbc(it) => ike::Cipher::Aes256Cbc(hmac(it)),
        proto::EspSuite::Null(it) => return ike::EspSuite::Null(hmac(it)),
    })
}

fn selector_to_fleet(selector: &ike::TrafficSelector) -> Result<proto::TrafficSelector, Invalid> {
    proto::TrafficSelector::new(selector.protocol, selector.ports, selector.first, selector.last)
}

fn gateway_to_ike(gateway: &proto::Gateway) -> ike::Gateway {
    match gateway {
        proto::Gateway::Address(address) => ike::Gateway::Address(*address),
        proto::Gateway::Name(name) => ike::Gateway::Name(name.clone()),
    }
}

fn selector_to_ike(selector: &proto::TunnelSelector) -> ike::TrafficSelector {
    let selector = proto::TrafficSelector::from(selector);
    ike::TrafficSelector {
        protocol: selector.protocol(),
        ports: selector.ports(),
        first: selector.first(),
        last: selector.last(),
    }
}

#[cfg(test)]
mod tests;
