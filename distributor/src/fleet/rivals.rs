//! Machines that have the same edge's certificate: each takes the session from the other, again and again.
//!
//! A process that comes back with an incarnation that is older than the edge's newest proves it: it has lived on while another
//! was given the newer one. One that was restarted comes without, and one that lost its connection has the newest.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use proto::Slot;

/// What an operator does about them.
pub(crate) const REMEDY: &str =
    "`anyswan pki issue --dir DIR edge NAME` makes one of its own for one of them";

/// For so long after the last turn they count as rivals. Each comes back within seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// Addresses that are remembered of one edge: two tell it all.
const MOST: usize = 4;

/// The edges that several machines want to be.
#[derive(Debug, Default)]
pub(crate) struct Rivals(BTreeMap<Slot, Rivalry>);

#[derive(Debug)]
struct Rivalry {
    addresses: BTreeSet<IpAddr>,
    last: Instant,
}

impl Rivals {
    /// The machine at `back` has taken its turn from the one that had the session, if that is known. True when this is new.
    pub(crate) fn note(&mut self, slot: Slot, back: IpAddr, before: Option<IpAddr>, now: Instant) -> bool {
        let is_new = self.of(slot, now).is_empty();
        if is_new {
            self.0.remove(&slot);
        }
        let rivalry = self.0.entry(slot).or_insert_with(|| Rivalry {
            addresses: BTreeSet::new(),
            last: now,
        });
        rivalry.last = now;
        for address in before.into_iter().chain([back]) {
            if rivalry.addresses.len() < MOST {
                rivalry.addresses.insert(address);
            }
        }
        is_new
    }

    /// Where those are that take turns as one edge; none while it is one machine.
    pub(crate) fn of(&self, slot: Slot, now: Instant) -> Vec<IpAddr> {
        let rivalry = self.0.get(&slot).filter(|rivalry| now < rivalry.last + PATIENCE);
        rivalry.map_or_else(Vec::new, |rivalry| rivalry.addresses.iter().copied().collect())
    }

    pub(crate) fn forget(&mut self, slot: Slot) {
        self.0.remove(&slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rivals_are_known_until_one_of_them_is_gone_for_a_while() {
        let (slot, start) = (Slot::new(1).unwrap(), Instant::now());
        let [one, two] = [[10, 9, 0, 1], [10, 9, 0, 2]].map(IpAddr::from);
        let mut rivals = Rivals::default();
        assert!(rivals.of(slot, start).is_empty());
        assert!(rivals.note(slot, one, Some(two), start));
        assert!(
            !rivals.note(slot, two, Some(one), start + PATIENCE / 2),
            "still the same"
        );
        assert_eq!(rivals.of(slot, start + PATIENCE), [one, two]);
        assert!(rivals.of(slot, start + PATIENCE * 2).is_empty());
        assert!(
            rivals.note(slot, one, None, start + PATIENCE * 2),
            "it begins again"
        );
        assert_eq!(rivals.of(slot, start + PATIENCE * 2), [one]);
    }
}
