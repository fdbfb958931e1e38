//! Waiting until every edge of the set has applied a revision. Pure; the caller brings the time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proto::Slot;

/// Names a wait: its revision first, so that an edge's progress finds the waits it matters to in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WaitId {
    revision: u64,
    number: u64,
}

/// How far each edge has come, and who waits for that.
#[derive(Debug)]
pub(crate) struct Barrier {
    /// A lap around the log that takes longer than this shows that an edge is too slow for the set.
    lap: Duration,
    /// The newest revision.
    head: u64,
    edges: BTreeMap<Slot, Progress>,
    waits: BTreeMap<WaitId, Wait>,
    last_number: u64,
}

/// How far an edge has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Everything up to this revision.
    pub(crate) applied: u64,
    /// `None`: in the set.
    lagging: Option<Lap>,
}

/// A lagging edge returns when it gets to where the head was within a lap's time of it being there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lap {
    goal: u64,
    begun: Instant,
}

#[derive(Debug)]
struct Wait {
    durable_at: Instant,
    edges: BTreeMap<Slot, Part>,
    /// Edges of the set that have not come so far yet.
    missing: usize,
}

/// One edge's part in a wait.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// In the set. Others are only watched.
    awaited: bool,
    /// `None`: it has not come so far yet.
    took: Option<Duration>,
}

impl Part {
    fn is_missing(&self) -> bool {
        self.awaited && self.took.is_none()
    }
}

impl Progress {
    pub(crate) fn is_lagging(&self) -> bool {
        self.lagging.is_some()
    }
}

impl Barrier {
    pub(crate) fn new(lap: Duration, head: u64) -> Self {
        Self {
            lap,
            head,
            edges: BTreeMap::new(),
            waits: BTreeMap::new(),
            last_number: 0,
        }
    }

    /// The newest revision.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// There is a new revision.
    pub(crate) fn raise(&mut self, head: u64) {
        self.head = self.head.max(head);
    }

    /// Takes in an edge that was a member when the distributor stopped: in the set, as it was then for all we know.
    pub(crate) fn resume(&mut self, slot: Slot) {
        self.edges.insert(
            slot,
            Progress {
                applied: 0,
                lagging: None,
            },
        );
    }

    /// An edge begins a session, and will report what it has applied. One that was not in the set, or does not return
    /// to it while its lease runs, has to catch up first.
    pub(crate) fn join(&mut self, slot: Slot, now: Instant, returning: bool) {
        let known = self.edges.get(&slot).filter(|_| returning);
        let in_set = known.is_some_and(|progress| !progress.is_lagging());
        let lagging = (!in_set).then_some(Lap {
            goal: self.head,
            begun: now,
        });
        self.edges.insert(slot, Progress { applied: 0, lagging });
    }

    /// Forgets an edge. Waits go on without it.
    pub(crate) fn forget(&mut self, slot: Slot) {
        self.edges.remove(&slot);
    }

    pub(crate) fn progress(&self, slot: Slot) -> Option<Progress> {
        self.edges.get(&slot).copied()
    }

    /// Begins a wait for those of `members` that are not lagging, and watches the rest of them.
    pub(crate) fn open(
        &mut self,
        revision: u64,
        now: Instant,
        members: impl Iterator<Item = Slot>,
    ) -> WaitId {
        let parts = members.filter_map(|slot| {
            let progress = self.edges.get(&slot)?;
            let took = (progress.applied >= revision).then_some(Duration::ZERO);
            Some((
                slot,
                Part {
                    awaited: !progress.is_lagging(),
                    took,
                },
            ))
        });
        let edges: BTreeMap<_, _> = parts.collect();
        let missing = edges.values().filter(|part| part.is_missing()).count();
        self.last_number += 1;
        let id = WaitId {
            revision,
            number: self.last_number,
        };
        self.waits.insert(
            id,
            Wait {
                durable_at: now,
                edges,
                missing,
            },
        );
        id
    }

    /// True when there is nobody left to wait for.
    pub(crate) fn is_complete(&self, id: WaitId) -> bool {
        self.waits.get(&id).is_none_or(|wait| wait.missing == 0)
    }

    /// An edge has come to `applied`. Returns the waits that are complete with it.
    pub(crate) fn advance(&mut self, slot: Slot, applied: u64, now: Instant) -> Vec<WaitId> {
        let Some(progress) = self.edges.get_mut(&slot) else {
            return Vec::new();
        };
        if applied < progress.applied {
            return Vec::new();
        }
        let reached = WaitId {
            revision: progress.applied,
            number: 0,
        }..=WaitId {
            revision: applied,
            number: u64::MAX,
        };
        progress.applied = applied;
        if let Some(lap) = progress.lagging
            && applied >= lap.goal
        {
            let in_time = applied >= self.head || now.saturating_duration_since(lap.begun) <= self.lap;
            progress.lagging = (!in_time).then_some(Lap {
                goal: self.head,
                begun: now,
            });
        }
        let mut complete = Vec::new();
        for (id, wait) in self.waits.range_mut(reached) {
            let Some(part @ Part { took: None, .. }) = wait.edges.get_mut(&slot) else {
                continue;
            };
            part.took = Some(now.saturating_duration_since(wait.durable_at));
            if part.awaited {
                wait.missing -= 1;
                if wait.missing == 0 {
                    complete.push(*id);
                }
            }
        }
        complete
    }

    /// Ends a wait and tells how long each edge took, lagging ones too. Those that are missing leave the set.
    pub(crate) fn close(&mut self, id: WaitId, now: Instant) -> Vec<(Slot, Option<Duration>)> {
        let Some(wait) = self.waits.remove(&id) else {
            return Vec::new();
        };
        for (slot, _) in wait.edges.iter().filter(|(_, part)| part.is_missing()) {
            if let Some(progress) = self.edges.get_mut(slot).filter(|progress| !progress.is_lagging()) {
                progress.lagging = Some(Lap {
                    goal: self.head,
                    begun: now,
                });
            }
        }
        wait.edges
            .into_iter()
            .map(|(slot, part)| (slot, part.took))
            .collect()
    }

    /// Ends a wait that nobody is interested in any more.
    pub(crate) fn cancel(&mut self, id: WaitId) {
        self.waits.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAP: Duration = Duration::from_secs(1);

    fn slot(number: u16) -> Slot {
        Slot::new(number).unwrap()
    }

    /// A barrier at revision 10 with these edges in the set, all up to date.
    fn barrier(edges: &[u16]) -> (Barrier, Instant) {
        let (mut barrier, now) = (Barrier::new(LAP, 10), Instant::now());
        for number in edges {
            barrier.resume(slot(*number));
            barrier.advance(slot(*number), 10, now);
        }
        (barrier, now)
    }

    fn open(barrier: &mut Barrier, revision: u64, now: Instant) -> WaitId {
        barrier.raise(revision);
        let members: Vec<_> = barrier.edges.keys().copied().collect();
        barrier.open(revision, now, members.into_iter())
    }

    #[test]
    fn a_wait_is_complete_with_the_last_edge_and_tells_each_ones_time() {
        let (mut barrier, now) = barrier(&[1, 2]);
        let wait = open(&mut barrier, 11, now);
        let later = |milliseconds| now + Duration::from_millis(milliseconds);
        assert_eq!(barrier.advance(slot(1), 11, later(3)), []);
        assert_eq!(
            barrier.advance(slot(1), 11, later(4)),
            [],
            "a repeated report is no other edge's"
        );
        assert!(!barrier.is_complete(wait));
        assert_eq!(barrier.advance(slot(2), 12, later(8)), [wait]);
        let times = barrier.close(wait, later(9));
        assert_eq!(
            times,
            [(slot(1), Some(later(3) - now)), (slot(2), Some(later(8) - now))]
        );
    }

    #[test]
    fn one_report_completes_every_wait_up_to_it() {
        let (mut barrier, now) = barrier(&[1]);
        let waits = [11, 12, 12, 13].map(|revision| open(&mut barrier, revision, now));
        assert_eq!(barrier.advance(slot(1), 12, now), waits[..3]);
        assert_eq!(barrier.advance(slot(1), 13, now), waits[3..]);
    }

    #[test]
    fn a_wait_for_what_is_applied_already_is_complete_at_once() {
        let (mut barrier, now) = barrier(&[1]);
        let wait = open(&mut barrier, 9, now);
        assert!(barrier.is_complete(wait));
        assert_eq!(barrier.close(wait, now), [(slot(1), Some(Duration::ZERO))]);
    }

    #[test]
    fn who_misses_a_deadline_leaves_the_set() {
        let (mut barrier, now) = barrier(&[1, 2]);
        let wait = open(&mut barrier, 11, now);
        barrier.advance(slot(1), 11, now);
        assert_eq!(barrier.close(wait, now + LAP)[1], (slot(2), None));
        assert!(barrier.progress(slot(2)).unwrap().is_lagging());
        let next = open(&mut barrier, 12, now + LAP);
        assert_eq!(
            barrier.advance(slot(1), 12, now + LAP),
            [next],
            "nobody waits for the lagging one"
        );
        barrier.advance(slot(2), 12, now + LAP + LAP / 4);
        let times = barrier.close(next, now + 2 * LAP);
        assert_eq!(times[1], (slot(2), Some(LAP / 4)), "but it is watched");
    }

    #[test]
    fn a_lagging_edge_returns_at_the_head() {
        let (mut barrier, now) = barrier(&[1]);
        let wait = open(&mut barrier, 11, now);
        barrier.close(wait, now + LAP);
        barrier.advance(slot(1), 10, now + LAP);
        assert!(barrier.progress(slot(1)).unwrap().is_lagging());
        barrier.advance(slot(1), 11, now + 20 * LAP);
        assert!(!barrier.progress(slot(1)).unwrap().is_lagging());
    }

    #[test]
    fn under_steady_load_a_lagging_edge_returns_when_it_keeps_pace() {
        let (mut barrier, now) = barrier(&[1]);
        let wait = open(&mut barrier, 11, now);
        barrier.close(wait, now + LAP);
        // It comes to revision 11 three laps late, when the head is far ahead.
        barrier.raise(40);
        barrier.advance(slot(1), 11, now + 4 * LAP);
        assert!(barrier.progress(slot(1)).unwrap().is_lagging());
        // It comes to 40 within a lap, when the head is at 41: a step behind, as every edge is under load.
        barrier.raise(41);
        barrier.advance(slot(1), 40, now + 4 * LAP + LAP / 2);
        assert!(!barrier.progress(slot(1)).unwrap().is_lagging());
    }

    #[test]
    fn a_newcomer_is_waited_for_once_it_has_caught_up() {
        let (mut barrier, now) = barrier(&[]);
        barrier.join(slot(1), now, false);
        assert_eq!(
            open(&mut barrier, 11, now),
            WaitId {
                revision: 11,
                number: 1
            }
        );
        assert!(barrier.progress(slot(1)).unwrap().is_lagging());
        barrier.advance(slot(1), 11, now + LAP / 2);
        assert!(!barrier.progress(slot(1)).unwrap().is_lagging());
    }

    #[test]
    fn an_edge_that_reconnects_stays_in_the_set_and_must_report_anew() {
        let (mut barrier, now) = barrier(&[1]);
        let wait = open(&mut barrier, 11, now);
        barrier.join(slot(1), now, true);
        assert!(!barrier.is_complete(wait));
        assert_eq!(barrier.advance(slot(1), 11, now), [wait]);
        barrier.join(slot(1), now, false);
        assert!(
            barrier.progress(slot(1)).unwrap().is_lagging(),
            "back after its lease has run out, it is a newcomer"
        );
    }

    #[test]
    fn an_old_report_sets_nobody_back() {
        let (mut barrier, now) = barrier(&[1]);
        barrier.raise(12);
        barrier.advance(slot(1), 12, now);
        barrier.advance(slot(1), 11, now);
        assert_eq!(barrier.progress(slot(1)).unwrap().applied, 12);
    }

    #[test]
    fn a_cancelled_wait_blames_nobody() {
        let (mut barrier, now) = barrier(&[1]);
        let wait = open(&mut barrier, 11, now);
        barrier.cancel(wait);
        assert!(!barrier.progress(slot(1)).unwrap().is_lagging());
        assert_eq!(barrier.advance(slot(1), 11, now), []);
    }
}
