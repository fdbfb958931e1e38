//! Inbound SPIs of child SAs: issued so that no two are the same, and which IKE SA each belongs to.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Host, Slot};

/// Random bits behind the slot.
const RANDOM_BITS: u32 = 22;

/// Tries to find a free SPI. At half of an edge's four million taken, all of them fail once in 2^64.
const TRIES: usize = 64;

/// SPIs that the responders of one edge have issued and that are in use: until its record reaches the edge, nothing else tells
/// one responder what another has issued.
#[derive(Clone, Default)]
pub(crate) struct IssuedSpis(Arc<Mutex<HashSet<u32>>>);

impl IssuedSpis {
    /// A fresh SPI that neither the fleet nor any responder of this edge knows; `None` when none was found.
    fn issue(&self, slot: Slot, host: &mut dyn Host) -> Option<u32> {
        (0..TRIES).find_map(|_| {
            let mut random = [0; 4];
            host.fill_random(&mut random);
            let random = u32::from_be_bytes(random) >> (u32::BITS - RANDOM_BITS);
            let spi = u32::from(slot.get()) << RANDOM_BITS | random;
            // Reserved before the fleet is asked: one that another responder has let go since is in the records by now.
            // The host is not asked under the lock, as it may have one of its own.
            if !self.all().insert(spi) {
                return None;
            }
            if host.is_esp_spi_taken(spi) {
                self.all().remove(&spi);
                return None;
            }
            Some(spi)
        })
    }

    fn all(&self) -> MutexGuard<'_, HashSet<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The inbound SPIs of one responder's child SAs, and the responder SPI of the IKE SA of each.
pub(crate) struct ChildSpis {
    ike_of_child: HashMap<u32, u64>,
    issued: IssuedSpis,
}

impl ChildSpis {
    /// None yet. What is issued is unlike what all those with the same `issued` have.
    pub(crate) fn new(issued: IssuedSpis) -> Self {
        Self {
            ike_of_child: HashMap::new(),
            issued,
        }
    }

    /// A free SPI, which belongs to the IKE SA `ike` from now on.
    pub(crate) fn issue(&mut self, slot: Slot, host: &mut dyn Host, ike: u64) -> Option<u32> {
        let spi = self.issued.issue(slot, host)?;
        self.ike_of_child.insert(spi, ike);
        Some(spi)
    }

    /// A child SA that there is already belongs to the IKE SA `ike`: after a rekey, or as it is restored.
    pub(crate) fn assign(&mut self, spi: u32, ike: u64) {
        self.ike_of_child.insert(spi, ike);
    }

    /// No child SA has this SPI, or not any more.
    pub(crate) fn release(&mut self, spi: u32) {
        if self.ike_of_child.remove(&spi).is_some() {
            self.issued.all().remove(&spi);
        }
    }

    pub(crate) fn ike_of(&self, spi: u32) -> Option<u64> {
        self.ike_of_child.get(&spi).copied()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.ike_of_child.len()
    }
}

/// What a responder leaves is in the records, or was never committed.
impl Drop for ChildSpis {
    fn drop(&mut self) {
        let mut issued = self.issued.all();
        #[expect(clippy::disallowed_methods, reason = "the order makes no difference")]
        self.ike_of_child.keys().for_each(|spi| {
            issued.remove(spi);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::TestHost;

    /// As many as a shard would have had, if SPIs told it.
    const MORE_THAN_A_SHARD: usize = (1 << 16) + 1000;

    fn slot() -> Slot {
        Slot::new(5).unwrap()
    }

    #[test]
    fn an_spi_has_the_slot() {
        let mut host = TestHost::new(1);
        for number in [1, 5, Slot::MAX] {
            let slot = Slot::new(number).unwrap();
            let spi = ChildSpis::new(IssuedSpis::default()).issue(slot, &mut host, 1);
            assert_eq!(Slot::of_esp_spi(spi.unwrap()), Some(slot));
        }
    }

    #[test]
    fn one_ike_sa_is_not_short_of_spis() {
        let mut host = TestHost::new(1);
        let mut spis = ChildSpis::new(IssuedSpis::default());
        for _ in 0..MORE_THAN_A_SHARD {
            assert!(spis.issue(slot(), &mut host, 1).is_some());
        }
        assert_eq!(spis.len(), MORE_THAN_A_SHARD);
    }

    /// Both draw the same random numbers, in turn.
    #[test]
    fn two_responders_never_issue_the_same() {
        let issued = IssuedSpis::default();
        let mut responders = [1, 2].map(|ike| (ChildSpis::new(issued.clone()), TestHost::new(1), ike));
        let mut all = HashSet::new();
        for _ in 0..1000 {
            for (spis, host, ike) in &mut responders {
                let spi = spis.issue(slot(), host, *ike).unwrap();
                assert!(all.insert(spi), "{spi:#x} was issued twice");
                assert_eq!(spis.ike_of(spi), Some(*ike));
            }
        }
    }

    #[test]
    fn what_the_fleet_knows_is_not_issued() {
        let issued = IssuedSpis::default();
        let draw = |host: &mut TestHost| ChildSpis::new(issued.clone()).issue(slot(), host, 1).unwrap();
        let mut host = TestHost::new(1);
        let taken = draw(&mut host.clone());
        host.taken().lock().unwrap().insert(taken);
        assert_ne!(draw(&mut host), taken);
        assert!(issued.all().is_empty(), "what was not issued is kept");
    }

    #[test]
    fn what_is_released_is_free_for_all() {
        let issued = IssuedSpis::default();
        let mut spis = ChildSpis::new(issued.clone());
        let spi = spis.issue(slot(), &mut TestHost::new(1), 1).unwrap();
        spis.release(spi);
        let mut other = ChildSpis::new(issued.clone());
        assert_eq!(other.issue(slot(), &mut TestHost::new(1), 2), Some(spi));

        // It is the other's now.
        spis.release(spi);
        drop(spis);
        assert!(issued.all().contains(&spi));
        // Its responder ends, as it does with each lease.
        drop(other);
        assert!(issued.all().is_empty());
    }
}
