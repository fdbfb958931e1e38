//! Edges join, stay, and are removed: slots, incarnations, and what has expired.

use std::net::SocketAddr;
use std::time::Duration;

use proto::{Body, Edge, InboundSpi, Key, Name, Slot};

use crate::log::state::State;
use crate::log::transaction::Transaction;
use crate::rules::refusal::Refusal;

/// Gives an edge its slot and its process an incarnation. An edge keeps its slot for as long as it is known; a process
/// that was given the edge's newest incarnation keeps that. Gives what this process is from now on.
pub(crate) fn join(
    transaction: &mut Transaction,
    name: &Name,
    forward: SocketAddr,
    incarnation: Option<u32>,
) -> Result<Edge, Refusal> {
    let known = transaction.state().edge(name).cloned();
    let slot = match &known {
        Some(edge) => edge.slot,
        None => free_slot(transaction)?,
    };
    let incarnation = match known {
        Some(edge) if incarnation == Some(edge.incarnation) => edge.incarnation,
        _ => transaction.next_incarnation().ok_or(Refusal::NoIncarnation)?,
    };
    let edge = Edge {
        slot,
        name: name.clone(),
        forward,
        incarnation,
    };
    transaction.put(Body::Edge(edge.clone()));
    Ok(edge)
}

/// A slot that was never used; when all were, one that no record carries. So an SPI of an edge that was removed comes back as
/// late as possible.
fn free_slot(transaction: &mut Transaction) -> Result<Slot, Refusal> {
    if let Some(slot) = transaction.next_slot() {
        return Ok(slot);
    }
    let mut slots = (1..=Slot::MAX).filter_map(Slot::new);
    slots
        .find(|slot| is_unused(transaction.state(), *slot))
        .ok_or(Refusal::NoSlot)
}

fn is_unused(state: &State, slot: Slot) -> bool {
    state.get(&Key::Edge(slot)).is_none() && !state.has_spi_of(slot)
}

/// Removes what has expired: child SAs that every kernel has dropped by itself, edges that were silent for as long as
/// tombstones live, and tombstones of that age.
pub(crate) fn sweep(transaction: &mut Transaction, silent: &[Slot], tombstones: Duration) {
    let now = transaction.now();
    let expired: Vec<InboundSpi> = transaction.state().expired_children(now).collect();
    expired
        .into_iter()
        .for_each(|spi| transaction.delete(&Key::ChildSa(spi)));
    silent.iter().for_each(|slot| delete_edge(transaction, *slot));
    let old: Vec<Key> = transaction
        .state()
        .tombstones_before(now.before(tombstones))
        .cloned()
        .collect();
    old.iter().for_each(|key| transaction.purge(key));
}

/// Deletes an edge and the IKE SAs that nobody runs any more.
fn delete_edge(transaction: &mut Transaction, slot: Slot) {
    let state = transaction.state();
    let owned = |spi: &u64| {
        state
            .ike_sa(*spi)
            .is_some_and(|sealed| sealed.header().slot == slot)
    };
    let orphans: Vec<u64> = state.ike_sas().filter(owned).collect();
    orphans
        .into_iter()
        .for_each(|spi| transaction.delete(&Key::IkeSa(spi)));
    transaction.delete(&Key::Edge(slot));
}

#[cfg(test)]
mod tests {
    use proto::Timestamp;

    use super::*;
    use crate::log::state::Counters;
    use proto::testkit::{child_sa, ike_sa, sealed, tunnel};

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn empty() -> State {
        State::new(Counters {
            store: 1,
            head: 0,
            purged: 0,
            incarnation: 0,
            highest_slot: 0,
        })
    }

    fn change<T>(state: &mut State, now: Timestamp, rule: impl FnOnce(&mut Transaction) -> T) -> T {
        let mut transaction = Transaction::new(state, now);
        let result = rule(&mut transaction);
        *state = transaction.finish().0;
        result
    }

    fn start() -> Timestamp {
        std::time::SystemTime::now().into()
    }

    fn join_as(state: &mut State, name: &str, incarnation: Option<u32>) -> Result<Edge, Refusal> {
        let name = name.parse().unwrap();
        let joined = change(state, start(), |transaction| {
            join(transaction, &name, ([10, 0, 0, 1], 4501).into(), incarnation)
        })?;
        assert_eq!(state.edge(&name), Some(&joined));
        Ok(joined)
    }

    #[test]
    fn a_name_keeps_its_slot_and_a_process_its_incarnation() {
        let mut state = empty();
        let first = join_as(&mut state, "e1", None).unwrap();
        let head = state.head();
        assert_eq!(join_as(&mut state, "e1", Some(first.incarnation)).unwrap(), first);
        assert_eq!(state.head(), head, "nothing has changed");
        let second = join_as(&mut state, "e1", None).unwrap();
        assert_eq!(second.slot, first.slot);
        assert!(second.incarnation > first.incarnation);
        let third = join_as(&mut state, "e1", Some(first.incarnation)).unwrap();
        assert!(
            third.incarnation > second.incarnation,
            "an old number is not given back"
        );
    }

    #[test]
    fn slots_run_out_and_come_back_when_no_record_carries_them() {
        let mut state = empty();
        for number in 1..=Slot::MAX {
            let edge = join_as(&mut state, &format!("e{number}"), None).unwrap();
            assert_eq!(edge.slot.get(), number, "never used ones first");
        }
        assert_eq!(join_as(&mut state, "late", None), Err(Refusal::NoSlot));

        let slot = Slot::new(7).unwrap();
        let (ike, later) = (ike_sa(slot, 1), start().after(2 * DAY));
        change(&mut state, start(), |transaction| {
            transaction.put(Body::Tunnel(sealed(tunnel("acme", 1))));
            transaction.put(Body::ChildSa(sealed(child_sa(&ike, 1))));
            transaction.put(Body::IkeSa(sealed(ike)));
        });
        change(&mut state, start(), |transaction| {
            sweep(transaction, &[slot], DAY)
        });
        assert_eq!(state.edge_in(slot), None);
        assert_eq!(state.ike_sas().count(), 0, "nobody runs them any more");
        assert_eq!(
            join_as(&mut state, "late", None),
            Err(Refusal::NoSlot),
            "a tombstone remembers its SPI"
        );

        change(&mut state, later, |transaction| sweep(transaction, &[], DAY));
        assert_eq!(join_as(&mut state, "late", None).unwrap().slot, slot);
        assert_eq!(
            state.edge(&"e7".parse().unwrap()),
            None,
            "the slot is another's now"
        );
    }

    #[test]
    fn time_removes_expired_children_and_old_tombstones() {
        let mut state = empty();
        let edge = join_as(&mut state, "e1", None).unwrap();
        let ike = ike_sa(edge.slot, 1);
        let child = child_sa(&ike, 1);
        let (key, expires) = (Key::ChildSa(child.inbound_spi), child.expires);
        change(&mut state, start(), |transaction| {
            transaction.put(Body::Tunnel(sealed(tunnel("acme", 1))));
            transaction.put(Body::IkeSa(sealed(ike)));
            transaction.put(Body::ChildSa(sealed(child)));
        });
        let is_deleted = |state: &State| {
            matches!(
                state.get(&key).map(|entry| &entry.record.body),
                Some(Body::Tombstone(_))
            )
        };
        let before = state.head();
        change(
            &mut state,
            expires.before(Duration::from_millis(1)),
            |transaction| sweep(transaction, &[], DAY),
        );
        assert!(!is_deleted(&state));
        change(&mut state, expires, |transaction| sweep(transaction, &[], DAY));
        assert!(is_deleted(&state));
        assert!(state.can_resume(1, before));

        let deleted_at = state.head();
        change(
            &mut state,
            expires.after(DAY + Duration::from_millis(1)),
            |transaction| sweep(transaction, &[], DAY),
        );
        assert!(state.get(&key).is_none());
        assert!(
            !state.can_resume(1, before),
            "who has not heard of the end needs a snapshot"
        );
        assert!(state.can_resume(1, deleted_at));
    }

    #[test]
    fn incarnations_are_never_given_twice_even_at_the_end() {
        let mut state = State::new(Counters {
            store: 1,
            head: 0,
            purged: 0,
            incarnation: u32::MAX - 1,
            highest_slot: 0,
        });
        assert_eq!(join_as(&mut state, "e1", None).unwrap().incarnation, u32::MAX);
        assert_eq!(join_as(&mut state, "e1", None), Err(Refusal::NoIncarnation));
        assert!(
            join_as(&mut state, "e1", Some(u32::MAX)).is_ok(),
            "the last process goes on"
        );
    }
}
