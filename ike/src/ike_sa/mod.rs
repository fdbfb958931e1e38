//! An established IKE SA: the peer's requests, our own, its child SAs, and its end.
//!
//! What it does next follows from the state it is in, after whatever it has handled ([`Established::proceed`]); so it goes
//! on the same way in another process that was given the state. One commit is under way at a time: what would need
//! another waits for its end.

pub(crate) mod child_sas;
mod commits;
pub(crate) mod context;
pub(crate) mod create_child_sa;
mod inbound_requests;
mod lifetimes;
mod message_id;
mod moves;
mod outbound_requests;
mod rate_limit;
mod redirect;
pub(crate) mod request_queue;
pub(crate) mod state;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::fleet::qcd;
use crate::ike_sa::context::Context;
use crate::ike_sa::request_queue::{Due, Request, Requests};
use crate::ike_sa::state::State;
use crate::message::channel::Exhausted;
use crate::message::fragments::Assembly;
use crate::message::inbound::Arrived;
use crate::message::outbox::Outbox;
use crate::{Change, Dropped, Ending, Limits, Path, Side, What};
use commits::Committing;
use message_id::Step;
use rate_limit::Pace;
use redirect::Redirect;

/// How long retransmissions are answered after the end. RFC 7296 section 2.1 allows to forget after minutes.
const LINGER: Duration = Duration::from_secs(60);

/// An IKE SA after IKE_AUTH, until nothing is left of it to say.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) state: State,
    requests: Requests,
    step: Step,
    /// Message ID of our next request when the fleet last heard of it.
    recorded: u32,
    last_heard: Instant,
    phase: Phase,
    /// The commit under way.
    committing: Option<Box<Committing>>,
    /// Authentic datagrams, a request and a response at most, that need a commit while another is under way.
    deferred: Vec<Deferred>,
    /// IKE SAs that the fleet knows and that do not run yet.
    pub(crate) heirs: Vec<Established>,
    /// When we rekey it; once another has taken its place: when we delete it, should the peer not have.
    until: Option<Instant>,
    /// Our SPIs of IKE SAs that a process before this one has promised to the peer.
    inherited: Vec<u64>,
    /// Rekeys that the peer has refused, one after the other.
    refusals: u8,
    /// Of the peer's request and of its response.
    requested: Assembly,
    responded: Assembly,
    /// Of the changes that the peer asks for.
    pace: Pace,
    /// When the fleet was last told where the peer is now.
    followed: Option<Instant>,
    /// Where a kernel has seen the peer, which has been asked there.
    suspected: Option<SocketAddr>,
    /// Where the check of the peer's path was sent first.
    checking: Option<Path>,
    /// How long IKE_FOLLOWUP_KE is awaited.
    follow_up_ends: Option<Instant>,
    /// What follows from the operator's wish that the peer goes elsewhere.
    redirect: Option<Box<Redirect>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Up,
    /// The fleet has dropped it, and we tell the peer.
    Leaving,
    /// The peer knows that it has ended; retransmissions are answered until then.
    Left {
        until: Instant,
    },
}

/// A datagram that came too early: its way, and its octets without non-ESP marker.
pub(crate) type Deferred = (Path, Box<[u8]>);

/// What becomes of the IKE SA after it has handled something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Stays,
    Gone,
}

impl Established {
    pub(crate) fn new(state: State, now: Instant) -> Self {
        let follow_up_ends = state
            .follow_up
            .as_ref()
            .map(|_| now + create_child_sa::FOLLOW_UP_PATIENCE);
        Self {
            requests: Requests::default(),
            step: Step::Known,
            recorded: state.next_request,
            state,
            last_heard: now,
            phase: Phase::Up,
            committing: None,
            deferred: Vec::new(),
            heirs: Vec::new(),
            until: None,
            inherited: Vec::new(),
            refusals: 0,
            requested: Assembly::default(),
            responded: Assembly::default(),
            pace: Pace::default(),
            followed: None,
            suspected: None,
            checking: None,
            follow_up_ends,
            redirect: None,
        }
    }

    /// From a snapshot; it counts as `silent` for so long already.
    pub(crate) fn restored(state: State, now: Instant, silent: Duration) -> Self {
        let mut sa = Self::new(state, now);
        sa.last_heard = now.checked_sub(silent).unwrap_or(now);
        sa.inherited = sa.promised_spis().collect();
        match &sa.state.exchange {
            // It was committed before its request left, and nothing was sent behind it.
            Some(exchange) => {
                let (request, octets) = (exchange.request(), exchange.octets.clone());
                sa.requests.sent(now, request, exchange.message_id, octets);
            }
            None => sa.step = Step::sought(sa.recorded),
        }
        sa
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let asks = self.requests.deadline();
        let due = match self.phase {
            Phase::Left { until } => Some(until),
            Phase::Leaving => asks,
            Phase::Up => {
                let own = match self.committing {
                    Some(_) => None,
                    None => [
                        self.state.children.deadline(),
                        self.until,
                        self.follows_at(),
                        self.redirect.as_ref().and_then(|redirect| redirect.ends()),
                    ]
                    .into_iter()
                    .flatten()
                    .min(),
                };
                let probe = self.may_probe().then_some(self.last_heard + limits.dpd_interval);
                [asks, own, probe].into_iter().flatten().min()
            }
        };
        let peer = [self.requested.ends(), self.responded.ends(), self.follow_up_ends];
        peer.into_iter().chain([due]).flatten().min()
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
        if self.follow_up_ends.is_some_and(|ends| ends <= cx.now) {
            self.forget_follow_up(cx);
        }
        match self.phase {
            Phase::Left { until } if until <= cx.now => Fate::Gone,
            Phase::Left { .. } => Fate::Stays,
            Phase::Up | Phase::Leaving => {
                let handled = self.handle_due(cx);
                handled.unwrap_or_else(|Exhausted| self.end(Ending::Exhausted, cx))
            }
        }
    }

    /// "If it succeeds, it MUST silently delete the IKE SA", wherever the message comes from (RFC 6290 section 3).
    fn is_lost_by_peer(&self, arrived: Arrived<'_>) -> bool {
        let message = arrived.message;
        let is_in_clear = message.encrypted.is_none() && message.header.flags.response;
        let token = self.state.peer_token.as_ref().filter(|_| is_in_clear);
        token.is_some_and(|token| qcd::is_shown(token, &message.payloads))
    }

    fn handle_due(&mut self, cx: &mut Context<'_>) -> Result<Fate, Exhausted> {
        match self.requests.due(cx.now) {
            Due::GiveUp(Request::DeleteIke) => return Ok(self.finish(cx)),
            Due::GiveUp(_) if self.step.handle_silence() => return Ok(self.end(Ending::PeerDead, cx)),
            Due::GiveUp(_) => {
                self.report(What::SilentSinceRestore, cx.out);
                self.last_heard = cx.now;
            }
            Due::Retransmit => self.retransmit(cx)?,
            Due::Nothing => {
                let silent = self.last_heard + cx.config.limits.dpd_interval <= cx.now;
                if silent && self.may_probe() {
                    self.requests.push(Request::Probe);
                }
            }
        }
        Ok(Fate::Stays)
    }

    /// A peer is asked whether it lives while it waits for nothing of ours, and we for nothing of its.
    fn may_probe(&self) -> bool {
        let is_up = self.phase == Phase::Up && self.state.replaced.is_none();
        is_up && self.requests.is_idle() && !self.holds_reply() && self.may_ask()
    }

    /// Does what follows from the state it is in. To be called after whatever it has handled.
    pub(crate) fn proceed(&mut self, cx: &mut Context<'_>) -> Fate {
        if self.phase == Phase::Up && self.committing.is_none() {
            self.schedule(cx);
            self.settle(cx);
            self.queue_due(cx);
        }
        match self.phase {
            Phase::Left { .. } => Fate::Stays,
            Phase::Up | Phase::Leaving => self
                .send_waiting(cx)
                .map_or_else(|Exhausted| self.end(Ending::Exhausted, cx), |()| Fate::Stays),
        }
    }

    /// The fleet has dropped the IKE SA: tells the peer. Nothing to do when that follows from the peer's own wish.
    pub(crate) fn handle_removed(&mut self, cx: &mut Context<'_>) {
        if self.phase == Phase::Up && !self.holds_last_reply() {
            self.leave(Ending::Removed, cx.out);
        }
    }

    /// Tells the peer that it has ended, which the fleet knows or will know.
    fn leave(&mut self, ending: Ending, out: &mut Outbox) {
        self.phase = Phase::Leaving;
        self.report(ending, out);
        if !self.requests.has(|request| request == Request::DeleteIke) {
            self.requests.push(Request::DeleteIke);
        }
    }

    /// Ends it with the fleet, and tells the peer.
    fn close(&mut self, ending: Ending, cx: &mut Context<'_>) {
        cx.out
            .commit(self.state.spis(), vec![Change::RemoveIke(self.state.spis())]);
        self.leave(ending, cx.out);
    }

    /// Ends it without the peer.
    fn end(&mut self, ending: Ending, cx: &mut Context<'_>) -> Fate {
        self.report(ending, cx.out);
        if self.phase == Phase::Up && !self.holds_last_reply() {
            let heirs = self.pending_heirs().map(|heir| heir.state.spis());
            for spis in heirs.chain([self.state.spis()]) {
                cx.out.commit(spis, vec![Change::RemoveIke(spis)]);
            }
        }
        Fate::Gone
    }

    /// The peer knows, or does not want to know, that we have deleted it.
    fn finish(&mut self, cx: &mut Context<'_>) -> Fate {
        match self.phase {
            Phase::Up => self.end(Ending::Rekeyed, cx),
            Phase::Leaving | Phase::Left { .. } => Fate::Gone,
        }
    }

    fn discard(&self, arrived: Arrived<'_>, dropped: Dropped, out: &mut Outbox) -> Fate {
        out.report(
            arrived.path,
            Some(self.state.spis()),
            Some(&self.state.tunnel),
            dropped,
        );
        Fate::Stays
    }

    pub(crate) fn report(&self, what: impl Into<What>, out: &mut Outbox) {
        out.report(
            self.state.path,
            Some(self.state.spis()),
            Some(&self.state.tunnel),
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
