//! An established IKE SA: the peer's requests, our own, its child SAs, and its end.
//!
//! What it does next follows from the state it is in, after whatever it has handled ([`Established::proceed`]); so it goes
//! on the same way in another process that was given the state. One commit is under way at a time: what would need
//! another waits for its end.
//!
//! Four types keep what it knows, each with a part of [`State`] as its durable half, and nobody else changes their fields:
//! [`Liveness`], [`Mobility`], [`Rekeying`] and [`Commits`]. The other modules say what follows from what.

#![cfg_attr(
    not(test),
    deny(
        clippy::wildcard_enum_match_arm,
        reason = "who adds a state or an event is to be asked everywhere what follows from it"
    )
)]

pub(crate) mod child_sas;
mod commits;
mod committing;
pub(crate) mod context;
pub(crate) mod create_child_sa;
mod inbound_requests;
mod lifetimes;
pub(crate) mod liveness;
pub(crate) mod mobility;
mod moves;
mod outbound_requests;
mod redirect;
pub(crate) mod state;

use std::time::{Duration, Instant};

use crate::fleet::qcd;
use crate::message::channel::Exhausted;
use crate::message::fragments::Assembly;
use crate::message::inbound::Arrived;
use crate::message::outbox::Outbox;
use crate::{Change, Dropped, Ending, Limits, Side, What};
use commits::Commits;
use context::Context;
use create_child_sa::rekeying::Rekeying;
use liveness::request_queue::Request;
use liveness::{Due, Liveness};
use mobility::Mobility;
use redirect::Redirect;
use state::State;

/// How long retransmissions are answered after the end. RFC 7296 section 2.1 allows to forget after minutes.
const LINGER: Duration = Duration::from_secs(60);

/// An IKE SA after IKE_AUTH, until nothing is left of it to say.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) state: State,
    liveness: Liveness,
    mobility: Mobility,
    rekeying: Rekeying,
    commits: Commits,
    lifecycle: Lifecycle,
    /// IKE SAs that have taken its place: the fleet knows them, and they do not run yet.
    replacements: Vec<Established>,
    /// Of the peer's request and of its response.
    requested: Assembly,
    responded: Assembly,
    /// What follows from the operator's wish that the peer goes elsewhere.
    redirect: Option<Box<Redirect>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lifecycle {
    Up,
    /// The fleet has dropped it, and we tell the peer.
    Deleting,
    /// The peer knows that it has ended; retransmissions are answered until then.
    Deleted {
        until: Instant,
    },
}

/// What becomes of the IKE SA after it has handled something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Stays,
    Gone,
}

impl Established {
    pub(crate) fn new(state: State, now: Instant) -> Self {
        Self {
            liveness: Liveness::new(now, state.next_request),
            mobility: Mobility::default(),
            rekeying: Rekeying::new(&state.rekeys, now),
            commits: Commits::default(),
            state,
            lifecycle: Lifecycle::Up,
            replacements: Vec::new(),
            requested: Assembly::default(),
            responded: Assembly::default(),
            redirect: None,
        }
    }

    /// From a snapshot; it counts as `silent` for so long already.
    pub(crate) fn restored(state: State, now: Instant, silent: Duration) -> Self {
        let mut sa = Self::new(state, now);
        let last_heard = now.checked_sub(silent).unwrap_or(now);
        sa.liveness = Liveness::restored(last_heard, sa.state.next_request);
        sa.rekeying.note_promised_before(sa.state.promised_spis());
        // It was committed before its request left, and nothing was sent behind it.
        if let Some(exchange) = sa.state.rekeys.exchange() {
            let (request, octets) = (exchange.request(), exchange.octets.clone());
            sa.liveness.resumed(now, request, exchange.message_id, octets);
        }
        sa
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let of_peer = [
            self.requested.ends(),
            self.responded.ends(),
            self.rekeying.follow_up_ends(),
        ];
        let ours = match self.lifecycle {
            Lifecycle::Deleted { until } => Some(until),
            Lifecycle::Deleting => self.liveness.retransmission_at(),
            Lifecycle::Up => self.next_step(limits),
        };
        of_peer.into_iter().chain([ours]).flatten().min()
    }

    /// When something is due of an IKE SA that is up. What needs a commit waits for the one under way.
    fn next_step(&self, limits: &Limits) -> Option<Instant> {
        let retransmission = self.liveness.retransmission_at();
        let probe = self
            .may_probe()
            .then(|| self.liveness.probe_at(limits.dpd_interval));
        let always = [retransmission, probe];
        let child_sas = self.state.children.deadline();
        let ike_sa = self.rekeying.due_at();
        let move_of_peer = self.follow_at();
        let redirect = self.redirect.as_ref().and_then(|redirect| redirect.ends());
        let without_commit = [child_sas, ike_sa, move_of_peer, redirect];
        let without_commit = without_commit
            .into_iter()
            .filter(|_| !self.commits.is_under_way());
        always.into_iter().chain(without_commit).flatten().min()
    }

    fn follow_at(&self) -> Option<Instant> {
        self.mobility
            .follow_at(&self.state.address, self.liveness.last_heard())
    }

    pub(crate) fn handle_message(&mut self, arrived: Arrived<'_>, cx: &mut Context<'_>) -> Fate {
        if self.is_lost_by_peer(arrived) {
            return self.end(Ending::PeerCrashed, cx);
        }
        let handled = match arrived.message.header.flags.response {
            true => self.handle_response(arrived, cx),
            false => self.handle_request(arrived, cx),
        };
        handled.unwrap_or_else(|Exhausted| self.end(Ending::Exhausted, cx))
    }

    pub(crate) fn handle_timeout(&mut self, cx: &mut Context<'_>) -> Fate {
        self.requested.expire(cx.now);
        self.responded.expire(cx.now);
        if self.rekeying.follow_up_ends().is_some_and(|ends| ends <= cx.now) {
            self.forget_follow_up(cx);
        }
        match self.lifecycle {
            Lifecycle::Deleted { until } if until <= cx.now => Fate::Gone,
            Lifecycle::Deleted { .. } => Fate::Stays,
            Lifecycle::Up | Lifecycle::Deleting => {
                let handled = self.handle_due(cx);
                handled.unwrap_or_else(|Exhausted| self.end(Ending::Exhausted, cx))
            }
        }
    }

    /// "If it succeeds, it MUST silently delete the IKE SA", wherever the message comes from (RFC 6290 section 3).
    fn is_lost_by_peer(&self, arrived: Arrived<'_>) -> bool {
        let message = arrived.message;
        let is_in_clear = message.encrypted.is_none() && message.header.flags.response;
        let token = self.state.peer_token().filter(|_| is_in_clear);
        token.is_some_and(|token| qcd::is_shown(token, &message.payloads))
    }

    fn handle_due(&mut self, cx: &mut Context<'_>) -> Result<Fate, Exhausted> {
        match self.liveness.due(cx.now) {
            Due::DeleteUnanswered => return Ok(self.finish(cx)),
            Due::PeerDead => return Ok(self.end(Ending::PeerDead, cx)),
            Due::Unsynchronized => self.report(What::SilentSinceRestore, cx.out),
            Due::Retransmit => self.retransmit(cx)?,
            Due::Nothing => {
                let silent = self.liveness.probe_at(cx.config.limits.dpd_interval) <= cx.now;
                if silent && self.may_probe() {
                    self.liveness.push(Request::Probe);
                }
            }
        }
        Ok(Fate::Stays)
    }

    /// A peer is asked whether it lives while it waits for nothing of ours, and we for nothing of its.
    fn may_probe(&self) -> bool {
        let is_up = self.lifecycle == Lifecycle::Up && !self.state.rekeys.is_replaced();
        is_up && self.liveness.is_idle() && !self.commits.holds_reply() && self.may_ask()
    }

    /// Does what follows from the state it is in. To be called after whatever it has handled.
    pub(crate) fn proceed(&mut self, cx: &mut Context<'_>) -> Fate {
        if self.lifecycle == Lifecycle::Up && !self.commits.is_under_way() {
            self.schedule(cx);
            self.settle(cx);
            self.queue_due(cx);
        }
        match self.lifecycle {
            Lifecycle::Deleted { .. } => Fate::Stays,
            Lifecycle::Up | Lifecycle::Deleting => self
                .send_waiting(cx)
                .map_or_else(|Exhausted| self.end(Ending::Exhausted, cx), |()| Fate::Stays),
        }
    }

    /// The fleet has dropped the IKE SA: tells the peer. Nothing to do when that follows from the peer's own wish.
    pub(crate) fn handle_removed(&mut self, cx: &mut Context<'_>) {
        if self.lifecycle == Lifecycle::Up && !self.commits.holds_last_reply() {
            self.leave(Ending::Removed, cx.out);
        }
    }

    /// Tells the peer that it has ended, which the fleet knows or will know.
    fn leave(&mut self, ending: Ending, out: &mut Outbox) {
        self.lifecycle = Lifecycle::Deleting;
        self.report(ending, out);
        self.liveness.push_once(Request::DeleteIke);
    }

    /// Ends it with the fleet, and tells the peer.
    fn close(&mut self, ending: Ending, cx: &mut Context<'_>) {
        cx.out
            .commit(self.state.spis(), vec![Change::RemoveIke(self.state.spis())]);
        self.leave(ending, cx.out);
    }

    /// IKE SAs that have taken its place, which run from now on.
    pub(crate) fn take_replacements(&mut self) -> Vec<Self> {
        std::mem::take(&mut self.replacements)
    }

    /// Our SPIs of the IKE SAs that a rekey under way may make: the peer may have one already.
    pub(crate) fn promised_spis(&self) -> impl Iterator<Item = u64> {
        let committed = self.commits.replacements().map(|state| state.spis().responder);
        committed.chain(self.state.promised_spis())
    }

    /// Ends it without the peer.
    fn end(&mut self, ending: Ending, cx: &mut Context<'_>) -> Fate {
        self.report(ending, cx.out);
        if self.lifecycle == Lifecycle::Up && !self.commits.holds_last_reply() {
            let replacements = self.commits.replacements().map(State::spis);
            for spis in replacements.chain([self.state.spis()]) {
                cx.out.commit(spis, vec![Change::RemoveIke(spis)]);
            }
        }
        Fate::Gone
    }

    /// The peer knows, or does not want to know, that we have deleted it.
    fn finish(&mut self, cx: &mut Context<'_>) -> Fate {
        match self.lifecycle {
            Lifecycle::Up => self.end(Ending::Rekeyed, cx),
            Lifecycle::Deleting | Lifecycle::Deleted { .. } => Fate::Gone,
        }
    }

    fn discard(&self, arrived: Arrived<'_>, dropped: Dropped, out: &mut Outbox) -> Fate {
        out.report(
            arrived.path,
            Some(self.state.spis()),
            Some(self.state.tunnel()),
            dropped,
        );
        Fate::Stays
    }

    pub(crate) fn report(&self, what: impl Into<What>, out: &mut Outbox) {
        out.report(
            self.state.address.path(),
            Some(self.state.spis()),
            Some(self.state.tunnel()),
            what,
        );
    }

    /// Reports that a child SA will be made, in the place of another or of none.
    fn report_child(&self, inbound_spi: u32, replaces: Option<u32>, by: Side, out: &mut Outbox) {
        let added = What::ChildAdded {
            inbound_spi,
            replaces,
            by,
        };
        self.report(added, out);
    }
}
