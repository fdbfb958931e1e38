//! Edges come, stay, and are forgotten: slots, incarnations, and the records that time removes.

use std::net::SocketAddr;
use std::time::Duration;

use proto::{Body, Edge, InboundSpi, Key, Name, Slot};

use crate::refusal::Refusal;
use crate::state::{Draft, State};

/// Gives an edge its slot and its process an incarnation. An edge keeps its slot for as long as it is known; a process
/// that was given the edge's newest incarnation keeps that.
pub(crate) fn join(
    draft: &mut Draft,
    name: &Name,
    forward: SocketAddr,
    incarnation: Option<u32>,
) -> Result<(), Refusal> {
    let known = draft.state().edge(name).cloned();
    let slot = match &known {
        Some(edge) => edge.slot,
        None => free_slot(draft)?,
    };
    let incarnation = match known {
        Some(edge) if incarnation == Some(edge.incarnation) => edge.incarnation,
        _ => draft.next_incarnation().ok_or(Refusal::NoIncarnation)?,
    };
    draft.put(Body::Edge(Edge {
        slot,
        name: name.clone(),
        forward,
        incarnation,
    }));
    Ok(())
}

/// A slot that was never used; when all were, one that nothing remembers. So an SPI of a forgotten edge comes back as
/// late as possible.
fn free_slot(draft: &mut Draft) -> Result<Slot, Refusal> {
    if let Some(slot) = draft.next_slot() {
        return Ok(slot);
    }
    let mut slots = (1..=Slot::MAX).filter_map(Slot::new);
    slots
        .find(|slot| is_forgotten(draft.state(), *slot))
        .ok_or(Refusal::NoSlot)
}

fn is_forgotten(state: &State, slot: Slot) -> bool {
    state.get(&Key::Edge(slot)).is_none() && !state.has_spi_of(slot)
}

/// Removes what time has overtaken: child SAs that every kernel has dropped by itself, edges that were silent for as
/// long as tombstones live, and tombstones of that age.
pub(crate) fn sweep(draft: &mut Draft, silent: &[Slot], tombstones: Duration) {
    let now = draft.now();
    let expired: Vec<InboundSpi> = draft.state().expired_children(now).collect();
    expired.into_iter().for_each(|spi| draft.bury(&Key::ChildSa(spi)));
    silent.iter().for_each(|slot| retire(draft, *slot));
    let old: Vec<Key> = draft
        .state()
        .tombstones_before(now.before(tombstones))
        .cloned()
        .collect();
    old.iter().for_each(|key| draft.purge(key));
}

/// Buries an edge and the IKE SAs that nobody runs any more.
fn retire(draft: &mut Draft, slot: Slot) {
    let state = draft.state();
    let owned = |spi: &u64| {
        state
            .ike_sa(*spi)
            .is_some_and(|sealed| sealed.header().slot == slot)
    };
    let orphans: Vec<u64> = state.ike_sas().filter(owned).collect();
    orphans.into_iter().for_each(|spi| draft.bury(&Key::IkeSa(spi)));
    draft.bury(&Key::Edge(slot));
}
