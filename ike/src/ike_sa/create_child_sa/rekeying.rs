//! How far an IKE SA and its child SAs have come in being rekeyed, by either side, and when the IKE SA is due.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::followup::FollowUp;
use super::pending::Exchange;
use crate::ike_sa::liveness::request_queue::ReplacedSa;
use crate::{ChildRefusal, Kem, Side};

/// "After some reasonable period of time" the state is deleted: enough for several retransmissions. Our own rekeys wait as
/// long.
const FOLLOW_UP_PATIENCE: Duration = Duration::from_secs(30);

/// Rekeys that the peer may refuse one after the other, about a minute apart: "several minutes" of TEMPORARY_FAILURE
/// mean that the state is out of sync (RFC 7296 section 2.25).
const MAX_REFUSALS: u8 = 8;

/// The durable half of [`Rekeying`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RekeyState {
    /// Ours that has no response yet.
    exchange: Option<Box<Exchange>>,
    /// What the peer's CREATE_CHILD_SA has agreed on, until its IKE_FOLLOWUP_KE comes.
    follow_up: Option<Box<FollowUp>>,
    /// The peer knows additional key exchanges, so that our rekeys offer them (RFC 9370).
    follows_up: bool,
    /// A replacement has taken the place of the IKE SA, and who is to delete it (RFC 7296 section 2.8).
    replaced: Option<Side>,
}

impl RekeyState {
    /// Of a new IKE SA, whose peer knows additional key exchanges if it `follows_up`.
    pub(crate) fn new(follows_up: bool) -> Self {
        Self {
            exchange: None,
            follow_up: None,
            follows_up,
            replaced: None,
        }
    }

    /// As a snapshot of an older layout has it.
    pub(in crate::ike_sa) fn recorded(
        exchange: Option<Exchange>,
        follow_up: Option<Box<FollowUp>>,
        follows_up: bool,
        replaced: Option<Side>,
    ) -> Self {
        Self {
            exchange: exchange.map(Box::new),
            follow_up,
            follows_up,
            replaced,
        }
    }

    /// That of an IKE SA that replaces this one.
    pub(in crate::ike_sa) fn of_replacement(&self) -> Self {
        Self::new(self.follows_up)
    }

    pub(in crate::ike_sa) fn exchange(&self) -> Option<&Exchange> {
        self.exchange.as_deref()
    }

    pub(in crate::ike_sa) fn begin(&mut self, exchange: Exchange) {
        self.exchange = Some(Box::new(exchange));
    }

    /// To be called by the state alone, which keeps what the peer has made beside it.
    pub(in crate::ike_sa) fn take_exchange(&mut self) -> Option<Exchange> {
        self.exchange.take().map(|exchange| *exchange)
    }

    /// Our rekey of what `is_it` is under way.
    pub(super) fn is_rekeying(&self, is_it: impl Fn(ReplacedSa) -> bool) -> bool {
        self.exchange()
            .is_some_and(|exchange| is_it(exchange.subject.old()))
    }

    /// Rekeys with additional key exchanges do not cross: while one of ours `is_same` the peer has to wait, be it the peer's or
    /// ours that takes more than one exchange.
    pub(super) fn may_be_followed(
        &self,
        kem: Option<Kem>,
        is_same: impl Fn(ReplacedSa) -> bool,
    ) -> Result<(), ChildRefusal> {
        let ours = self.exchange().filter(|exchange| is_same(exchange.subject.old()));
        match ours.is_some_and(|exchange| kem.is_some() || exchange.may_follow_up()) {
            true => Err(ChildRefusal::Collision),
            false => Ok(()),
        }
    }

    /// True while the peer's IKE_FOLLOWUP_KE is awaited.
    pub(in crate::ike_sa) fn awaits_follow_up(&self) -> bool {
        self.follow_up.is_some()
    }

    /// The peer knows additional key exchanges.
    pub(in crate::ike_sa) fn follows_up(&self) -> bool {
        self.follows_up
    }

    /// The peer knows additional key exchanges, or may want one.
    pub(super) fn note_follows_up(&mut self) {
        self.follows_up = true;
    }

    /// Another IKE SA has taken the place of this one.
    pub(in crate::ike_sa) fn is_replaced(&self) -> bool {
        self.replaced.is_some()
    }

    /// Another has taken its place, and we are to delete this one.
    pub(in crate::ike_sa) fn is_ours_to_delete(&self) -> bool {
        self.replaced == Some(Side::Us)
    }

    /// Another takes its place, and `deleter` is to delete this one.
    pub(in crate::ike_sa) fn replace(&mut self, deleter: Side) {
        self.replaced = Some(deleter);
    }

    /// None does after all.
    pub(in crate::ike_sa) fn withdraw_replacement(&mut self) {
        self.replaced = None;
    }

    /// Inbound SPIs of the child SAs that exchanges under way are about to make.
    pub(in crate::ike_sa) fn pending_children(&self) -> impl Iterator<Item = u32> {
        let ours = self.exchange().and_then(|exchange| exchange.subject.child());
        let peers = self.follow_up.as_ref().and_then(|it| it.granted.child());
        ours.into_iter().chain(peers)
    }

    /// Our SPIs of the IKE SAs that exchanges under way are about to make.
    pub(in crate::ike_sa) fn promised_spis(&self) -> impl Iterator<Item = u64> {
        let ours = self.exchange().and_then(|exchange| exchange.subject.ike());
        let peers = self.follow_up.as_ref().and_then(|it| it.granted.ike());
        ours.into_iter().chain(peers)
    }
}

/// What this owner knows besides.
#[derive(Debug)]
pub(in crate::ike_sa) struct Rekeying {
    /// When we rekey the IKE SA; once another has taken its place: when we delete it, should the peer not have.
    due: Option<Instant>,
    /// How long IKE_FOLLOWUP_KE is awaited.
    follow_up_ends: Option<Instant>,
    /// Our SPIs of IKE SAs that a process before this one has promised to the peer.
    promised_before: Box<[u64]>,
    /// Rekeys that the peer has refused, one after the other.
    refusals: u8,
}

impl Rekeying {
    pub(in crate::ike_sa) fn new(state: &RekeyState, now: Instant) -> Self {
        Self {
            due: None,
            follow_up_ends: state.awaits_follow_up().then(|| now + FOLLOW_UP_PATIENCE),
            promised_before: Box::default(),
            refusals: 0,
        }
    }

    /// After a takeover.
    pub(in crate::ike_sa) fn note_promised_before(&mut self, spis: impl Iterator<Item = u64>) {
        self.promised_before = spis.collect();
    }

    /// True when the owner before may have told the peer this SPI.
    pub(super) fn was_promised_before(&self, spi: u64) -> bool {
        self.promised_before.contains(&spi)
    }

    /// When [`Self::is_due`] will be true; `None` when that is open.
    pub(in crate::ike_sa) fn due_at(&self) -> Option<Instant> {
        self.due
    }

    pub(in crate::ike_sa) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    pub(in crate::ike_sa) fn schedule(&mut self, due: Option<Instant>) {
        self.due = due;
    }

    /// The peer has rekeyed an SA, or has let us.
    pub(super) fn handle_accepted(&mut self) {
        self.refusals = 0;
    }

    /// The peer has refused a rekey. Returns how many it has, one after the other.
    pub(super) fn handle_refused(&mut self) -> u8 {
        self.refusals = self.refusals.saturating_add(1);
        self.refusals
    }

    /// The peer has refused so often that both sides have to begin again.
    pub(super) fn is_refused_for_good(&self) -> bool {
        self.refusals >= MAX_REFUSALS
    }

    pub(in crate::ike_sa) fn is_refused(&self) -> bool {
        self.refusals > 0
    }

    /// The peer's CREATE_CHILD_SA is answered, and its IKE_FOLLOWUP_KE awaited.
    pub(super) fn await_follow_up(&mut self, state: &mut RekeyState, follow_up: FollowUp, now: Instant) {
        state.follow_up = Some(Box::new(follow_up));
        state.follows_up = true;
        self.follow_up_ends = Some(now + FOLLOW_UP_PATIENCE);
    }

    /// What the peer's IKE_FOLLOWUP_KE with this link follows.
    pub(super) fn take_linked(&mut self, state: &mut RekeyState, link: &[u8]) -> Option<FollowUp> {
        let follow_up = state.follow_up.take_if(|it| link == it.link)?;
        self.follow_up_ends = None;
        Some(*follow_up)
    }

    /// Gives up what the peer has not followed.
    pub(super) fn take_follow_up(&mut self, state: &mut RekeyState) -> Option<FollowUp> {
        self.follow_up_ends = None;
        state.follow_up.take().map(|follow_up| *follow_up)
    }

    pub(in crate::ike_sa) fn follow_up_ends(&self) -> Option<Instant> {
        self.follow_up_ends
    }
}
