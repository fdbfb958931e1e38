//! What an edge may change: IKE SAs with its own slot, and their child SAs.

use proto::{Body, Change, ChildSa, Commit, IkeSa, InboundSpi, Key, Name, Sealed, Slot};

use crate::config::CustomerLimits;
use crate::log::transaction::Transaction;
use crate::rules::refusal::Refusal;

/// Puts an edge's commit into the transaction. After a refusal the transaction is dropped.
pub(crate) fn commit(
    transaction: &mut Transaction,
    caller: &Name,
    commit: &Commit,
    limits: CustomerLimits,
) -> Result<(), Refusal> {
    let edge = transaction
        .state()
        .edge(caller)
        .filter(|edge| edge.incarnation == commit.incarnation);
    let slot = edge
        .ok_or_else(|| Refusal::NotTheNewestProcess(caller.clone()))?
        .slot;
    let mut put = Vec::new();
    for change in &commit.changes {
        match change {
            Change::PutIkeSa(sealed) => {
                put.push((sealed.header().tunnel.clone(), sealed.header().spis.responder));
                put_ike_sa(transaction, slot, sealed)?;
            }
            Change::PutChildSa(sealed) => put_child_sa(transaction, slot, sealed, limits.child_sas)?,
            Change::RemoveIkeSa(spi) => remove_ike_sa(transaction, slot, *spi)?,
            Change::RemoveChildSa(spi) => remove_child_sa(transaction, slot, *spi)?,
        }
    }
    // When the children of an IKE SA that is rekeyed have moved to the new one: the old one may be the oldest.
    put.iter()
        .for_each(|(tunnel, spi)| delete_surplus(transaction, tunnel, *spi, limits.ike_sas));
    Ok(())
}

fn put_ike_sa(transaction: &mut Transaction, caller: Slot, sealed: &Sealed<IkeSa>) -> Result<(), Refusal> {
    let new = sealed.header();
    let key = Key::IkeSa(new.spis.responder);
    if new.slot != caller {
        return Err(Refusal::AnothersSlot { key, slot: caller });
    }
    if transaction.state().tunnel(&new.tunnel).is_none() {
        return Err(Refusal::NoTunnel(new.tunnel.clone()));
    }
    match transaction.state().get(&key).map(|entry| &entry.record.body) {
        None if new.initial_contact => delete_ike_sas_of(transaction, &new.tunnel),
        None => {}
        Some(Body::IkeSa(old)) => check_same_ike_sa(old.header(), new, key)?,
        Some(_) => return Err(Refusal::KeyTaken(key)),
    }
    transaction.put(Body::IkeSa(sealed.clone()));
    Ok(())
}

/// RFC 7296 section 2.4: INITIAL_CONTACT says that the new IKE SA is the only one between the two identities.
fn delete_ike_sas_of(transaction: &mut Transaction, tunnel: &Name) {
    let stale: Vec<u64> = transaction.state().ike_sas_of(tunnel).collect();
    stale
        .into_iter()
        .for_each(|spi| transaction.delete(&Key::IkeSa(spi)));
}

/// A tunnel that has more IKE SAs than it may loses the oldest. Not the `new` one: its peer has just proved that it lives,
/// and a router that restarts again and again without INITIAL_CONTACT must not lock itself out.
fn delete_surplus(transaction: &mut Transaction, tunnel: &Name, new: u64, most: usize) {
    let state = transaction.state();
    if state.ike_sas_of(tunnel).nth(most).is_none() {
        return;
    }
    let created = |spi| state.ike_sa(spi).map(|sealed| (sealed.header().created, spi));
    let others = state.ike_sas_of(tunnel).filter(|spi| *spi != new);
    let mut others: Vec<_> = others.filter_map(created).collect();
    others.sort_unstable();
    let surplus = (others.len() + 1).saturating_sub(most);
    for (_, spi) in others.into_iter().take(surplus) {
        transaction.delete(&Key::IkeSa(spi));
    }
}

fn check_same_ike_sa(old: &IkeSa, new: &IkeSa, key: Key) -> Result<(), Refusal> {
    if old.slot != new.slot {
        return Err(Refusal::AnothersSa(key));
    }
    if old.spis != new.spis || old.tunnel != new.tunnel {
        return Err(Refusal::KeyTaken(key));
    }
    if old.epoch != new.epoch {
        return Err(Refusal::Epoch {
            key,
            at: old.epoch,
            asked: new.epoch,
        });
    }
    Ok(())
}

fn put_child_sa(
    transaction: &mut Transaction,
    caller: Slot,
    sealed: &Sealed<ChildSa>,
    most: usize,
) -> Result<(), Refusal> {
    let new = sealed.header();
    let key = Key::ChildSa(new.inbound_spi);
    if new.inbound_spi.slot() != caller {
        return Err(Refusal::AnothersSlot { key, slot: caller });
    }
    let is_one_more = match transaction.state().get(&key).map(|entry| &entry.record.body) {
        None => true,
        // It may have moved to the IKE SA that replaces its own (RFC 7296 section 2.18).
        Some(Body::ChildSa(old)) if old.header().tunnel == new.tunnel => {
            owned_ike_sa(transaction, caller, old.header().ike.responder)?;
            old.header().ike != new.ike
        }
        Some(_) => return Err(Refusal::KeyTaken(key)),
    };
    if is_one_more && transaction.state().children_of(new.ike.responder).count() >= most {
        let ike = Key::IkeSa(new.ike.responder);
        return Err(Refusal::TooManyChildren { ike, most });
    }
    let ike_sa = owned_ike_sa(transaction, caller, new.ike.responder)?;
    let field = if ike_sa.spis != new.ike {
        Some("initiator SPI")
    } else if ike_sa.tunnel != new.tunnel {
        Some("tunnel")
    } else {
        None
    };
    if let Some(field) = field {
        return Err(Refusal::Mismatch { child: key, field });
    }
    transaction.put(Body::ChildSa(sealed.clone()));
    Ok(())
}

fn remove_ike_sa(transaction: &mut Transaction, caller: Slot, spi: u64) -> Result<(), Refusal> {
    if transaction.state().ike_sa(spi).is_some() {
        owned_ike_sa(transaction, caller, spi)?;
    }
    transaction.delete(&Key::IkeSa(spi));
    Ok(())
}

fn remove_child_sa(transaction: &mut Transaction, caller: Slot, spi: InboundSpi) -> Result<(), Refusal> {
    if let Some(child) = transaction.state().child_sa(spi) {
        owned_ike_sa(transaction, caller, child.header().ike.responder)?;
    }
    transaction.delete(&Key::ChildSa(spi));
    Ok(())
}

/// The IKE SA, when it lives and the caller runs it. Its children are the caller's as well, whoever issued their SPIs.
fn owned_ike_sa(transaction: &Transaction, caller: Slot, spi: u64) -> Result<&IkeSa, Refusal> {
    let sealed = transaction
        .state()
        .ike_sa(spi)
        .ok_or(Refusal::NoSuchRecord(Key::IkeSa(spi)))?;
    let sa = sealed.header();
    if sa.slot == caller {
        Ok(sa)
    } else {
        Err(Refusal::AnothersSa(Key::IkeSa(spi)))
    }
}
