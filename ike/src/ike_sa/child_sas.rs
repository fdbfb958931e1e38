//! The child SAs of an IKE SA, and how far each has come in being replaced (RFC 7296 section 2.8).

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::ike_sa::state::shared;
use crate::negotiation::child_sa::ChildSpis;
use crate::negotiation::selectors::Selectors;
use crate::{ChildSa, EspSuite, Side};

/// How long a child SA that the peer has made in place of another waits for the peer's first packet or its DELETE of
/// the other before it sends all the same: longer than peers wait until they repeat a request, since one that lacks our
/// response does not know the new child SA, and receives on the old one all the while.
const STANDBY: Duration = Duration::from_secs(90);

/// How long packets that are under way find a child SA installed that both sides have deleted.
const GRACE: Duration = Duration::from_secs(5);

/// How long the peer may take to delete a child SA that it has replaced, until we do.
const PATIENCE: Duration = Duration::from_secs(60);

/// One of them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Child {
    spis: ChildSpis,
    /// What a rekey of ours offers again: "the new Child SA SHOULD NOT have different Traffic Selectors and algorithms"
    /// (RFC 7296 section 2.8).
    suite: EspSuite,
    #[serde(with = "shared")]
    selectors: Arc<Selectors>,
    phase: ChildPhase,
    /// When it was made, in seconds of Unix time: its lifetime goes on in the hands of another owner.
    made: u64,
    /// When the phase ends by itself; `None` when it does not, and until that is decided.
    #[serde(skip)]
    until: Option<Instant>,
}

/// What a child SA is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ChildPhase {
    /// It sends and receives. Ends with its lifetime: we rekey it.
    Active,
    /// It receives. The one that it `replaces`, by inbound SPI, still sends. Ends by its activation.
    Standby { replaces: u32, made_by: Side },
    /// It receives. Another sends, and the peer is to delete it. Ends with our patience.
    Replaced,
    /// It receives, and we are deleting it.
    Closing,
    /// Both sides have deleted it; packets under way are still received. Ends with its removal.
    Retiring,
    /// The peer has lost it, and it is gone here too. What is left of it says what is to be made again, which ends this.
    Lost,
}

impl Child {
    pub(crate) fn new(sa: &ChildSa, phase: ChildPhase, made: u64) -> Self {
        Self {
            spis: ChildSpis {
                inbound: sa.inbound_spi,
                outbound: sa.outbound_spi,
            },
            suite: sa.suite,
            selectors: Arc::new(Selectors {
                local: sa.local_ts.clone(),
                remote: sa.remote_ts.clone(),
            }),
            phase,
            made,
            until: None,
        }
    }

    /// With these in the place of its own selectors, if they are the same.
    pub(crate) fn sharing(mut self, selectors: &Arc<Selectors>) -> Self {
        if self.selectors == *selectors {
            self.selectors = Arc::clone(selectors);
        }
        self
    }

    pub(crate) fn inbound_spi(&self) -> u32 {
        self.spis.inbound
    }

    pub(crate) fn suite(&self) -> EspSuite {
        self.suite
    }

    pub(crate) fn selectors(&self) -> &Selectors {
        &self.selectors
    }

    pub(crate) fn phase(&self) -> ChildPhase {
        self.phase
    }

    fn enter(&mut self, phase: ChildPhase) {
        self.phase = phase;
        self.until = None;
    }

    /// Decides when the phase ends, if that is open. `rekey_in` is the time that is left of the lifetime of what was made
    /// then, if there is one.
    fn schedule(&mut self, now: Instant, rekey_in: impl FnOnce(u64) -> Option<Duration>) {
        if self.until.is_some() {
            return;
        }
        let left = match self.phase {
            ChildPhase::Active => rekey_in(self.made),
            // Both sides are ready for it (RFC 7296 section 2.8).
            ChildPhase::Standby {
                made_by: Side::Us, ..
            } => Some(Duration::ZERO),
            ChildPhase::Standby { .. } => Some(STANDBY),
            ChildPhase::Replaced => Some(PATIENCE),
            ChildPhase::Closing => None,
            ChildPhase::Retiring => Some(GRACE),
            ChildPhase::Lost => Some(Duration::ZERO),
        };
        self.until = left.map(|left| now + left);
    }

    fn is_due(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// What the peer is to be asked about a child SA, which is named by its inbound SPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DueRequest {
    Rekey(u32),
    Delete(u32),
}

/// What was before a child SA was activated, for the case that the fleet does not take it.
#[derive(Debug)]
pub(crate) struct Activation {
    inbound: u32,
    standby: ChildPhase,
    /// The one that it replaces, which has sent until then.
    replaced: Option<(u32, ChildPhase, Option<Instant>)>,
}

/// All of them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Children(Vec<Child>);

impl Children {
    fn of_kernels(&self) -> impl Iterator<Item = &Child> {
        self.0.iter().filter(|child| child.phase != ChildPhase::Lost)
    }

    /// Inbound SPIs of those that kernels have.
    pub(crate) fn installed(&self) -> impl Iterator<Item = u32> {
        self.of_kernels().map(Child::inbound_spi)
    }

    /// True when packets like those of a lost one find another.
    pub(crate) fn is_made_again(&self, lost: &Child) -> bool {
        self.of_kernels()
            .any(|child| child.selectors == lost.selectors && child.phase != ChildPhase::Retiring)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn push(&mut self, child: Child) {
        // Most IKE SAs never have more than these.
        self.0.reserve_exact(1);
        let child = match self.0.first() {
            Some(other) => child.sharing(&other.selectors),
            None => child,
        };
        self.0.push(child);
    }

    pub(crate) fn remove(&mut self, inbound: u32) -> Option<Child> {
        let position = self.0.iter().position(|child| child.spis.inbound == inbound)?;
        Some(self.0.remove(position))
    }

    pub(crate) fn get(&self, inbound: u32) -> Option<&Child> {
        self.0.iter().find(|child| child.spis.inbound == inbound)
    }

    fn get_mut(&mut self, inbound: u32) -> Option<&mut Child> {
        self.0.iter_mut().find(|child| child.spis.inbound == inbound)
    }

    pub(crate) fn is_lost(&self, inbound: u32) -> bool {
        self.get(inbound)
            .is_some_and(|child| child.phase == ChildPhase::Lost)
    }

    /// Nothing is to be made any more in the place of this one, if it was lost.
    pub(crate) fn forget_lost(&mut self, inbound: u32) {
        self.0
            .retain(|child| child.spis.inbound != inbound || child.phase != ChildPhase::Lost);
    }

    /// Lets one enter another phase, if it is there and in one of those that `may_leave`.
    fn enter_from(&mut self, inbound: u32, phase: ChildPhase, may_leave: impl Fn(ChildPhase) -> bool) {
        if let Some(child) = self.get_mut(inbound).filter(|child| may_leave(child.phase)) {
            child.enter(phase);
        }
    }

    /// Both sides have deleted it: packets under way are still received.
    pub(crate) fn retire(&mut self, inbound: u32) {
        self.enter_from(inbound, ChildPhase::Retiring, |_| true);
    }

    /// The peer has answered our DELETE. Should its own have crossed ours, it retires already.
    pub(crate) fn handle_deleted(&mut self, inbound: u32) {
        self.enter_from(inbound, ChildPhase::Retiring, |phase| {
            phase == ChildPhase::Closing
        });
    }

    /// The peer has lost it.
    pub(crate) fn lose(&mut self, inbound: u32) {
        self.enter_from(inbound, ChildPhase::Lost, |_| true);
    }

    /// One of ours is there for the same purpose, and survives: the peer is to delete this one.
    pub(crate) fn supersede(&mut self, inbound: u32) {
        self.enter_from(inbound, ChildPhase::Replaced, |phase| {
            matches!(phase, ChildPhase::Standby { .. } | ChildPhase::Active)
        });
    }

    /// Lets the phase end at another time, if it is one of those that `may_change`.
    fn end_at(&mut self, inbound: u32, at: Instant, may_change: impl Fn(ChildPhase) -> bool) {
        if let Some(child) = self.get_mut(inbound).filter(|child| may_change(child.phase)) {
            child.until = Some(at);
        }
    }

    /// The peer uses it: if it is in standby, that ends now.
    pub(crate) fn handle_used(&mut self, inbound: u32, now: Instant) {
        self.end_at(inbound, now, |phase| matches!(phase, ChildPhase::Standby { .. }));
    }

    /// It is near its limit: if it is active, it is rekeyed now.
    pub(crate) fn handle_near_limit(&mut self, inbound: u32, now: Instant) {
        self.end_at(inbound, now, |phase| phase == ChildPhase::Active);
    }

    /// Its rekey has failed, and is tried again then.
    pub(crate) fn postpone_rekey(&mut self, inbound: u32, at: Instant) {
        self.end_at(inbound, at, |phase| {
            matches!(phase, ChildPhase::Active | ChildPhase::Lost)
        });
    }

    /// Decides when the phases end whose end is open. `rekey_in` is the time that is left of the lifetime of what was made
    /// then, if there is one.
    pub(crate) fn schedule(&mut self, now: Instant, mut rekey_in: impl FnMut(u64) -> Option<Duration>) {
        for child in &mut self.0 {
            child.schedule(now, &mut rekey_in);
        }
    }

    /// Those in standby that are to be activated now.
    pub(crate) fn due_in_standby(&self, now: Instant) -> Vec<u32> {
        self.due(now, |phase| matches!(phase, ChildPhase::Standby { .. }))
    }

    /// Those that kernels need not keep any longer.
    pub(crate) fn due_to_be_removed(&self, now: Instant) -> Vec<u32> {
        self.due(now, |phase| phase == ChildPhase::Retiring)
    }

    fn due(&self, now: Instant, is_it: impl Fn(ChildPhase) -> bool) -> Vec<u32> {
        let due = self
            .0
            .iter()
            .filter(|child| child.is_due(now) && is_it(child.phase));
        due.map(Child::inbound_spi).collect()
    }

    /// What is to be asked of the peer now. A rekey is tried again at `retry`, should nothing come of it.
    pub(crate) fn due_requests(&mut self, now: Instant, retry: Instant) -> Vec<DueRequest> {
        let mut requests = Vec::new();
        for child in &mut self.0 {
            let is_due = child.is_due(now);
            match child.phase {
                ChildPhase::Replaced if is_due => child.enter(ChildPhase::Closing),
                ChildPhase::Active | ChildPhase::Lost if is_due => {
                    child.until = Some(retry);
                    requests.push(DueRequest::Rekey(child.spis.inbound));
                }
                ChildPhase::Active
                | ChildPhase::Lost
                | ChildPhase::Replaced
                | ChildPhase::Standby { .. }
                | ChildPhase::Closing
                | ChildPhase::Retiring => {}
            }
            if child.phase == ChildPhase::Closing {
                requests.push(DueRequest::Delete(child.spis.inbound));
            }
        }
        requests
    }

    /// The one that the peer receives on with `outbound`, unless the peer has deleted or lost it.
    pub(crate) fn of_peer(&self, outbound: u32) -> Option<&Child> {
        self.0.iter().find(|child| {
            child.spis.outbound == outbound && !matches!(child.phase, ChildPhase::Retiring | ChildPhase::Lost)
        })
    }

    /// The one in standby for the one with this inbound SPI.
    pub(crate) fn replacement_of(&self, inbound: u32) -> Option<u32> {
        let stands_by = |child: &&Child| matches!(child.phase, ChildPhase::Standby { replaces, .. } if replaces == inbound);
        self.0.iter().find(stands_by).map(|child| child.spis.inbound)
    }

    /// Lets one that was in standby send, and the one that it replaces no more. `None` if it was not in standby.
    pub(crate) fn activate(&mut self, inbound: u32) -> Option<Activation> {
        let child = self.get_mut(inbound)?;
        let standby = child.phase;
        let ChildPhase::Standby { replaces, made_by } = standby else {
            return None;
        };
        child.enter(ChildPhase::Active);
        let mut replaced = None;
        if let Some(old) = self.get_mut(replaces)
            && matches!(old.phase, ChildPhase::Active | ChildPhase::Standby { .. })
        {
            replaced = Some((replaces, old.phase, old.until));
            // "The node that initiated the surviving rekeyed SA should delete the replaced SA" (RFC 7296 section 2.8.1).
            old.enter(match made_by {
                Side::Us => ChildPhase::Closing,
                Side::Peer => ChildPhase::Replaced,
            });
        }
        Some(Activation {
            inbound,
            standby,
            replaced,
        })
    }

    /// The fleet has not taken it: it is to be activated again at `retry`, and the one that it replaces sends until then. Not if
    /// something else has become of either meanwhile.
    pub(crate) fn undo_activation(&mut self, activation: Activation, retry: Instant) {
        if let Some(child) = self.get_mut(activation.inbound)
            && child.phase == ChildPhase::Active
        {
            child.phase = activation.standby;
            child.until = Some(retry);
        }
        if let Some((inbound, phase, until)) = activation.replaced
            && let Some(old) = self.get_mut(inbound)
            && matches!(old.phase, ChildPhase::Closing | ChildPhase::Replaced)
        {
            old.phase = phase;
            // Its own rekey waits for this one.
            old.until = until.map(|until| until.max(retry));
        }
    }

    /// The peer has not got our response, so that what it has made is not ready for use.
    pub(crate) fn prolong_standby(&mut self) {
        for child in &mut self.0 {
            if let ChildPhase::Standby {
                made_by: Side::Peer, ..
            } = child.phase
            {
                child.until = None;
            }
        }
    }

    /// When the first of their phases ends.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(|child| child.until).min()
    }
}
