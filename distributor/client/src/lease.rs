//! The lease, by this machine's own clock.

use std::time::{Duration, Instant};

use proto::{Heartbeat, Lease, Slot};

/// The edge's right to its slot. Whoever acts for an IKE SA looks at it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseGrant {
    /// Whose.
    pub slot: Slot,
    /// Of this process; see [`Lease::incarnation`].
    pub incarnation: u32,
    /// Who gave it; see [`Lease::store`].
    pub store: u64,
    /// The lease has run out from here on.
    pub until: Instant,
}

impl LeaseGrant {
    /// True while the lease has not run out.
    pub fn runs(&self, now: Instant) -> bool {
        now < self.until
    }

    /// True when `other` is the same grant, perhaps for longer.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.slot, self.incarnation, self.store) == (other.slot, other.incarnation, other.store)
    }

    /// True when the store has given one incarnation twice: acting under both would repeat IVs.
    pub fn contradicts(&self, other: &Self) -> bool {
        (self.incarnation, self.store) == (other.incarnation, other.store) && self.slot != other.slot
    }
}

/// Matches the distributor's answers with the heartbeats that were sent: the lease counts from when the edge *sent* a
/// heartbeat, so the edge believes in it for less time than the distributor does.
#[derive(Debug)]
pub struct Heartbeats {
    /// The one without an answer: its number, `None` for the hello, and when it was sent.
    sent: Option<(Option<u64>, Instant)>,
    last_number: u64,
}

impl Heartbeats {
    /// The hello is sent now.
    pub fn new(now: Instant) -> Self {
        Self {
            sent: Some((None, now)),
            last_number: 0,
        }
    }

    /// The next heartbeat, sent now; `None` while the last has no answer, which may come behind much else.
    pub fn next(&mut self, now: Instant) -> Option<Heartbeat> {
        if self.sent.is_some() {
            return None;
        }
        self.last_number += 1;
        self.sent = Some((Some(self.last_number), now));
        Some(Heartbeat {
            number: self.last_number,
        })
    }

    /// What an answer grants; `None` when it answers nothing that was asked.
    pub fn answered(&mut self, lease: &Lease) -> Option<LeaseGrant> {
        let (_, sent) = self.sent.take_if(|(number, _)| *number == lease.heartbeat)?;
        Some(LeaseGrant {
            slot: lease.slot,
            incarnation: lease.incarnation,
            store: lease.store,
            until: sent + lease.ttl,
        })
    }
}

/// How long after one heartbeat the next is due.
pub fn heartbeat_interval(ttl: Duration) -> Duration {
    ttl / 3
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(15);

    fn lease(heartbeat: Option<u64>) -> Lease {
        Lease {
            slot: Slot::new(3).unwrap(),
            incarnation: 9,
            ttl: TTL,
            heartbeat,
            store: 1,
        }
    }

    #[test]
    fn a_lease_counts_from_the_question() {
        let start = Instant::now();
        let mut heartbeats = Heartbeats::new(start);
        let grant = heartbeats.answered(&lease(None)).unwrap();
        assert!(grant.runs(start + TTL - Duration::from_millis(1)));
        assert!(!grant.runs(start + TTL));

        let asked = start + Duration::from_secs(5);
        let heartbeat = heartbeats.next(asked).unwrap();
        let longer = heartbeats.answered(&lease(Some(heartbeat.number))).unwrap();
        assert_eq!(longer.until, asked + TTL);
        assert!(longer.is_same(&grant));
    }

    #[test]
    fn each_answer_counts_once_and_one_question_is_open_at_a_time() {
        let start = Instant::now();
        let mut heartbeats = Heartbeats::new(start);
        assert_eq!(heartbeats.next(start), None, "the hello has no answer yet");
        assert!(heartbeats.answered(&lease(None)).is_some());

        let heartbeat = heartbeats.next(start + Duration::from_secs(5)).unwrap();
        assert_eq!(heartbeats.answered(&lease(None)), None);
        assert_eq!(heartbeats.answered(&lease(Some(heartbeat.number + 1))), None);
        assert_eq!(heartbeats.next(start + Duration::from_secs(10)), None);
        assert!(heartbeats.answered(&lease(Some(heartbeat.number))).is_some());
        assert_eq!(heartbeats.answered(&lease(Some(heartbeat.number))), None);
    }

    #[test]
    fn another_slot_incarnation_or_store_is_another_grant() {
        let start = Instant::now();
        let grant = |lease: Lease| Heartbeats::new(start).answered(&lease).unwrap();
        let first = grant(lease(None));
        let later = grant(Lease {
            incarnation: 10,
            ..lease(None)
        });
        let elsewhere = grant(Lease {
            store: 2,
            slot: Slot::new(4).unwrap(),
            ..lease(None)
        });
        for other in [later, elsewhere] {
            assert!(!other.is_same(&first) && !other.contradicts(&first));
        }
        let impossible = grant(Lease {
            slot: Slot::new(4).unwrap(),
            ..lease(None)
        });
        assert!(impossible.contradicts(&first));
    }
}
