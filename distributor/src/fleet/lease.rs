//! Who may act at present: leases, and the sessions that renew them. Pure; the caller brings the time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proto::Slot;

/// Tells an edge's sessions apart: of two, the newer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionId(u64);

/// Leases by slot.
#[derive(Debug)]
pub(crate) struct Leases {
    ttl: Duration,
    by_slot: BTreeMap<Slot, Lease>,
    last_session: u64,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    ends: Instant,
    session: Option<SessionId>,
}

/// How an edge stands with its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// In a session, and for how long without another sign of life.
    Attached(Duration),
    /// Without a session, for as long as its lease still runs.
    CutOff(Duration),
    /// Without the right to act.
    Expired,
}

impl Leases {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            by_slot: BTreeMap::new(),
            last_session: 0,
        }
    }

    /// Starts a lease without a session. At the distributor's own start every known edge gets one, because nobody wrote
    /// down when the old ones end.
    pub(crate) fn grant(&mut self, slot: Slot, now: Instant) {
        self.by_slot.insert(
            slot,
            Lease {
                ends: now + self.ttl,
                session: None,
            },
        );
    }

    /// Begins a session, in the place of the one there was.
    pub(crate) fn attach(&mut self, slot: Slot, now: Instant) -> SessionId {
        self.last_session += 1;
        let session = SessionId(self.last_session);
        self.by_slot.insert(
            slot,
            Lease {
                ends: now + self.ttl,
                session: Some(session),
            },
        );
        session
    }

    /// False when the session is no longer the edge's.
    pub(crate) fn renew(&mut self, slot: Slot, session: SessionId, now: Instant) -> bool {
        match self.by_slot.get_mut(&slot) {
            Some(lease) if lease.session == Some(session) => {
                lease.ends = now + self.ttl;
                true
            }
            _ => false,
        }
    }

    /// Ends a session, unless a newer one has begun; the lease runs on.
    pub(crate) fn detach(&mut self, slot: Slot, session: SessionId) {
        if let Some(lease) = self
            .by_slot
            .get_mut(&slot)
            .filter(|lease| lease.session == Some(session))
        {
            lease.session = None;
        }
    }

    /// Forgets an edge.
    pub(crate) fn forget(&mut self, slot: Slot) {
        self.by_slot.remove(&slot);
    }

    /// `None` for a slot without an edge.
    pub(crate) fn standing(&self, slot: Slot, now: Instant) -> Option<Standing> {
        let lease = self.by_slot.get(&slot)?;
        let remaining = lease.ends.saturating_duration_since(now);
        Some(if remaining.is_zero() {
            Standing::Expired
        } else if lease.session.is_some() {
            Standing::Attached(remaining)
        } else {
            Standing::CutOff(remaining)
        })
    }

    /// True while the edge may act.
    pub(crate) fn is_held(&self, slot: Slot, now: Instant) -> bool {
        self.by_slot.get(&slot).is_some_and(|lease| lease.ends > now)
    }

    /// Every edge with a lease, run out or not.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.by_slot.keys().copied()
    }

    /// Edges whose lease runs.
    pub(crate) fn holders(&self, now: Instant) -> impl Iterator<Item = Slot> {
        self.by_slot
            .iter()
            .filter(move |(_, lease)| lease.ends > now)
            .map(|(slot, _)| *slot)
    }

    /// Edges whose lease ended at least this long ago.
    pub(crate) fn silent_for(&self, time: Duration, now: Instant) -> Vec<Slot> {
        let silent = |lease: &Lease| lease.ends <= now && now - lease.ends >= time;
        self.by_slot
            .iter()
            .filter(|(_, lease)| silent(lease))
            .map(|(slot, _)| *slot)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(15);

    fn slot(number: u16) -> Slot {
        Slot::new(number).unwrap()
    }

    #[test]
    fn a_lease_runs_from_its_last_renewal() {
        let (mut leases, start) = (Leases::new(TTL), Instant::now());
        let session = leases.attach(slot(1), start);
        assert!(leases.renew(slot(1), session, start + TTL / 2));
        let end = start + TTL / 2 + TTL;
        assert!(leases.is_held(slot(1), end - Duration::from_millis(1)));
        assert!(!leases.is_held(slot(1), end));
        assert_eq!(leases.standing(slot(1), end), Some(Standing::Expired));
        assert_eq!(leases.holders(end).count(), 0);
    }

    #[test]
    fn a_session_can_renew_a_lease_that_ran_out_but_not_one_that_was_taken() {
        let (mut leases, start) = (Leases::new(TTL), Instant::now());
        let old = leases.attach(slot(1), start);
        assert!(leases.renew(slot(1), old, start + 2 * TTL));
        let new = leases.attach(slot(1), start + 2 * TTL);
        assert!(!leases.renew(slot(1), old, start + 3 * TTL));
        assert!(
            !leases.is_held(slot(1), start + 3 * TTL),
            "the old session's word counts for nothing"
        );
        assert!(leases.renew(slot(1), new, start + 3 * TTL));
    }

    #[test]
    fn a_cut_off_edge_keeps_its_lease_to_the_end() {
        let (mut leases, start) = (Leases::new(TTL), Instant::now());
        let old = leases.attach(slot(1), start);
        leases.detach(slot(1), old);
        assert_eq!(leases.standing(slot(1), start), Some(Standing::CutOff(TTL)));
        leases.attach(slot(1), start);
        leases.detach(slot(1), old);
        assert_eq!(
            leases.standing(slot(1), start),
            Some(Standing::Attached(TTL)),
            "the old end is not the new one's"
        );
    }

    #[test]
    fn silence_is_counted_from_the_end_of_the_lease() {
        let (mut leases, start) = (Leases::new(TTL), Instant::now());
        leases.grant(slot(1), start);
        leases.grant(slot(2), start + TTL);
        let day = Duration::from_secs(24 * 3600);
        assert_eq!(
            leases.silent_for(day, start + TTL + day - Duration::from_secs(1)),
            []
        );
        assert_eq!(leases.silent_for(day, start + TTL + day), [slot(1)]);
        leases.forget(slot(1));
        assert_eq!(leases.standing(slot(1), start), None);
    }
}
