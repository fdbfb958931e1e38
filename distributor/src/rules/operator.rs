//! What an operator may change.

use std::fmt;

use proto::{Body, InboundSpi, Key, Name, Sealed, Tunnel};

use crate::log::transaction::Transaction;
use crate::rules::clash;
use crate::rules::refusal::Refusal;

/// What an operator revokes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// All IKE SAs of a tunnel; the tunnel itself stays.
    Tunnel(Name),
    /// By responder SPI.
    IkeSa(u64),
    /// By inbound SPI.
    ChildSa(InboundSpi),
}

/// As the log of changes names it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tunnel(name) => write!(f, "the SAs of tunnel {name}"),
            Self::IkeSa(spi) => Key::IkeSa(*spi).fmt(f),
            Self::ChildSa(spi) => Key::ChildSa(*spi).fmt(f),
        }
    }
}

/// What a tunnel may take the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replaces {
    /// Of nothing but itself.
    Nothing,
    /// Of whatever has its name.
    Any,
    /// Of the record with this revision.
    Revision(u64),
}

/// Adds a tunnel, or puts a new configuration in the place of the old one, whose SAs live on.
pub(crate) fn put(
    transaction: &mut Transaction,
    sealed: &Sealed<Tunnel>,
    replaces: Replaces,
) -> Result<(), Refusal> {
    let new = sealed.header();
    let revision = transaction
        .state()
        .get(&Key::Tunnel(new.name.clone()))
        .map(|old| old.record.revision);
    if let Replaces::Revision(read) = replaces
        && revision != Some(read)
    {
        return Err(Refusal::TunnelChanged(new.name.clone()));
    }
    if let Some(old) = transaction.state().tunnel(&new.name) {
        if old != sealed && replaces == Replaces::Nothing {
            return Err(Refusal::TunnelExists(new.name.clone()));
        }
        if old.header().id != new.id {
            return Err(Refusal::TunnelId {
                name: new.name.clone(),
                id: old.header().id.get(),
            });
        }
    }
    clash::check(transaction.state(), new)?;
    transaction.put(Body::Tunnel(sealed.clone()));
    Ok(())
}

/// Deletes a tunnel with all its SAs.
pub(crate) fn remove(transaction: &mut Transaction, name: &Name) -> Result<(), Refusal> {
    let key = Key::Tunnel(name.clone());
    if transaction.state().get(&key).is_none() {
        return Err(Refusal::NoSuchRecord(key));
    }
    transaction.delete(&key);
    Ok(())
}

/// Deletes SAs. What is deleted already counts as done, so that a repeated call succeeds.
pub(crate) fn revoke(transaction: &mut Transaction, target: &Target) -> Result<(), Refusal> {
    let key = match target {
        Target::Tunnel(name) => {
            if transaction.state().tunnel(name).is_none() {
                return Err(Refusal::NoTunnel(name.clone()));
            }
            let sas: Vec<u64> = transaction.state().ike_sas_of(name).collect();
            sas.into_iter()
                .for_each(|spi| transaction.delete(&Key::IkeSa(spi)));
            return Ok(());
        }
        Target::IkeSa(spi) => Key::IkeSa(*spi),
        Target::ChildSa(spi) => Key::ChildSa(*spi),
    };
    if transaction.state().get(&key).is_none() {
        return Err(Refusal::NoSuchRecord(key));
    }
    transaction.delete(&key);
    Ok(())
}
