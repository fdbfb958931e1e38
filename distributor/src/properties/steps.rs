//! What may happen, in any order.

use proptest::prelude::*;

use super::{EDGES, SAS, TUNNELS};

/// What may happen. The numbers are small, so that different steps often mean the same thing.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Join(u16),
    PutTunnel(u16),
    RemoveTunnel(u16),
    Commit {
        edge: u16,
        changes: Vec<Wish>,
    },
    Revoke(u16, u32),
    /// Time passes, and the sweep comes; these edges were silent.
    Sweep {
        seconds: u64,
        silent: Option<u16>,
    },
    /// The distributor starts again from what the store has.
    Restart,
    /// This subscriber takes what there is for it.
    Listen(usize),
    /// This subscriber loses its connection, and what it has when it forgets.
    Reconnect {
        subscriber: usize,
        forgets: bool,
    },
}

/// What an edge may ask for, allowed or not. `slot` is `None` for the edge's own.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    PutIke {
        slot: Option<u16>,
        number: u32,
        tunnel: u16,
        initial_contact: bool,
    },
    PutChild {
        slot: Option<u16>,
        number: u32,
        ike: u32,
    },
    RemoveIke(u32),
    RemoveChild(Option<u16>, u32),
}

fn wish() -> impl Strategy<Value = Wish> {
    let slot = prop::option::weighted(0.15, 1..=EDGES);
    let (number, tunnel) = (1..=SAS, 1..=TUNNELS);
    prop_oneof![
        3 => (slot.clone(), number.clone(), tunnel, prop::bool::weighted(0.1)).prop_map(|(slot, number, tunnel, initial_contact)| {
            Wish::PutIke { slot, number, tunnel, initial_contact }
        }),
        3 => (slot.clone(), number.clone(), number.clone())
            .prop_map(|(slot, number, ike)| Wish::PutChild { slot, number, ike }),
        1 => number.clone().prop_map(Wish::RemoveIke),
        1 => (slot, number).prop_map(|(slot, number)| Wish::RemoveChild(slot, number)),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..=EDGES).prop_map(Step::Join),
        3 => (1..=TUNNELS).prop_map(Step::PutTunnel),
        1 => (1..=TUNNELS).prop_map(Step::RemoveTunnel),
        12 => (1..=EDGES, prop::collection::vec(wish(), 1..3))
            .prop_map(|(edge, changes)| Step::Commit { edge, changes }),
        2 => (0..3u16, 1..=SAS).prop_map(|(kind, number)| Step::Revoke(kind, number)),
        2 => (0..2000u64, prop::option::of(1..=EDGES)).prop_map(|(seconds, silent)| Step::Sweep { seconds, silent }),
        1 => Just(Step::Restart),
        6 => (0..3usize).prop_map(Step::Listen),
        3 => (0..3usize, any::<bool>()).prop_map(|(subscriber, forgets)| Step::Reconnect { subscriber, forgets }),
    ]
}
