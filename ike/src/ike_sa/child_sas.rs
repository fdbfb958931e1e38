//! The child SAs of an IKE SA, and how far each has come in being replaced (RFC 7296 section 2.8).

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

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
    pub(crate) spis: ChildSpis,
    /// What a rekey of ours offers again: "the new Child SA SHOULD NOT have different Traffic Selectors and algorithms"
    /// (RFC 7296 section 2.8).
    pub(crate) suite: EspSuite,
    pub(crate) selectors: Selectors,
    pub(crate) phase: Phase,
    /// When it was made, in seconds of Unix time: its lifetime goes on in the hands of another owner.
    made: u64,
    /// When the phase ends by itself; `None` when it does not, and until that is decided.
    #[serde(skip)]
    pub(crate) until: Option<Instant>,
}

/// What a child SA is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
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
    /// The peer has lost it, and it is gone here too. What is left of it says what is to be made anew, which ends this.
    Lost,
}

impl Child {
    pub(crate) fn new(sa: &ChildSa, phase: Phase, made: u64) -> Self {
        Self {
            spis: ChildSpis {
                inbound: sa.inbound_spi,
                outbound: sa.outbound_spi,
            },
            suite: sa.suite,
            selectors: Selectors {
                local: sa.local_ts.clone(),
                remote: sa.remote_ts.clone(),
            },
            phase,
            made,
            until: None,
        }
    }

    pub(crate) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.until = None;
    }

    /// Decides when the phase ends, if that is open. `rekey_in` is the time that is left of the lifetime of what was made
    /// then, if there is one.
    pub(crate) fn schedule(&mut self, now: Instant, rekey_in: impl FnOnce(u64) -> Option<Duration>) {
        if self.until.is_some() {
            return;
        }
        let left = match self.phase {
            Phase::Active => rekey_in(self.made),
            // Both sides are ready for it (RFC 7296 section 2.8).
            Phase::Standby {
                made_by: Side::Us, ..
            } => Some(Duration::ZERO),
            Phase::Standby { .. } => Some(STANDBY),
            Phase::Replaced => Some(PATIENCE),
            Phase::Closing => None,
            Phase::Retiring => Some(GRACE),
            Phase::Lost => Some(Duration::ZERO),
        };
        self.until = left.map(|left| now + left);
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// All of them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Children(Vec<Child>);

impl Children {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Child> {
        self.0.iter()
    }

    /// Those that kernels have.
    pub(crate) fn installed(&self) -> impl Iterator<Item = &Child> {
        self.0.iter().filter(|child| child.phase != Phase::Lost)
    }

    /// True when packets like those of a lost one find another.
    pub(crate) fn is_made_anew(&self, lost: &Child) -> bool {
        self.installed()
            .any(|child| child.selectors == lost.selectors && child.phase != Phase::Retiring)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Child> {
        self.0.iter_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn push(&mut self, child: Child) {
        // Most IKE SAs never have more than these.
        self.0.reserve_exact(1);
        self.0.push(child);
    }

    pub(crate) fn remove(&mut self, inbound: u32) -> Option<Child> {
        let position = self.0.iter().position(|child| child.spis.inbound == inbound)?;
        Some(self.0.remove(position))
    }

    pub(crate) fn get(&self, inbound: u32) -> Option<&Child> {
        self.0.iter().find(|child| child.spis.inbound == inbound)
    }

    pub(crate) fn get_mut(&mut self, inbound: u32) -> Option<&mut Child> {
        self.0.iter_mut().find(|child| child.spis.inbound == inbound)
    }

    pub(crate) fn is_lost(&self, inbound: u32) -> bool {
        self.get(inbound).is_some_and(|child| child.phase == Phase::Lost)
    }

    /// Nothing is to be made any more in the place of this one, if it was lost.
    pub(crate) fn forget_lost(&mut self, inbound: u32) {
        self.0
            .retain(|child| child.spis.inbound != inbound || child.phase != Phase::Lost);
    }

    /// Lets one enter another phase, if it is there.
    pub(crate) fn enter(&mut self, inbound: u32, phase: Phase) {
        if let Some(child) = self.get_mut(inbound) {
            child.enter(phase);
        }
    }

    /// The one that the peer receives on with `outbound`, unless the peer has deleted or lost it.
    pub(crate) fn of_peer(&mut self, outbound: u32) -> Option<&mut Child> {
        self.0.iter_mut().find(|child| {
            child.spis.outbound == outbound && !matches!(child.phase, Phase::Retiring | Phase::Lost)
        })
    }

    /// The one in standby for the one with this inbound SPI.
    pub(crate) fn successor_of(&self, inbound: u32) -> Option<u32> {
        let stands_by =
            |child: &&Child| matches!(child.phase, Phase::Standby { replaces, .. } if replaces == inbound);
        self.0.iter().find(stands_by).map(|child| child.spis.inbound)
    }

    /// Lets one that was in standby send, and the one that it replaces no more.
    pub(crate) fn activate(&mut self, inbound: u32) {
        let Some(child) = self.get_mut(inbound) else {
            return;
        };
        let Phase::Standby { replaces, made_by } = child.phase else {
            return;
        };
        child.enter(Phase::Active);
        if let Some(old) = self.get_mut(replaces)
            && matches!(old.phase, Phase::Active | Phase::Standby { .. })
        {
            // "The node that initiated the surviving rekeyed SA should delete the replaced SA" (RFC 7296 section 2.8.1).
            old.enter(match made_by {
                Side::Us => Phase::Closing,
                Side::Peer => Phase::Replaced,
            });
        }
    }

    /// The peer has not got our response, so that what it has made is not ready for use.
    pub(crate) fn prolong_standby(&mut self) {
        for child in &mut self.0 {
            if let Phase::Standby {
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
