//! What follows from the end of a commit: a reply or a request leaves, and what was made is there or is not.

use std::time::Duration;

use super::commits::{Before, Deferred, Made, Replacement, Then, UnderWay};
use super::{Established, Fate, LINGER, Lifecycle};
use crate::ike_sa::child_sas::ChildPhase;
use crate::ike_sa::context::Context;
use crate::ike_sa::liveness::request_queue::{ReplacedSa, Request};
use crate::message::channel::{Exhausted, MessageKind};
use crate::message::inbound::Arrived;
use crate::wire::{self, ExchangeType, Notify, Payload};
use crate::{Change, ChildRefusal, CommitId, CommitOutcome, Ending, Path};

/// Until a child SA whose activation the fleet has not taken is activated again.
const AGAIN: Duration = Duration::from_secs(5);

impl Established {
    /// Commits `changes`. Nothing else may be under way.
    pub(super) fn commit(&mut self, changes: Vec<Change>, then: Then, made: Made, cx: &mut Context<'_>) {
        let id = cx.out.commit(self.state.spis(), changes);
        self.commits.begin(id, then, made, self.state.next_request);
    }

    /// The state as it is now, for a commit.
    pub(super) fn put(&self) -> Change {
        Change::PutIke(self.state.record(false))
    }

    /// The commit under way.
    pub(crate) fn awaited_commit(&self) -> Option<CommitId> {
        self.commits.awaited()
    }

    /// Whether a request of ours may leave.
    pub(super) fn may_ask(&self) -> bool {
        let is_overdue = self.liveness.is_record_overdue(self.state.next_request);
        !(self.lifecycle == Lifecycle::Up && is_overdue) && self.commits.allow_request()
    }

    /// Keeps an authentic datagram until the commit under way has ended.
    pub(super) fn defer(&mut self, arrived: Arrived<'_>) -> Fate {
        self.commits.defer(arrived);
        Fate::Stays
    }

    /// The datagrams that may be handled now.
    pub(crate) fn take_deferred(&mut self) -> Vec<Deferred> {
        self.commits.take_deferred()
    }

    /// The fleet has decided on the commit under way. A reply that only confirms that something is gone leaves either
    /// way: the peer has dropped it already, whatever the fleet says.
    pub(crate) fn handle_commit(&mut self, outcome: CommitOutcome, cx: &mut Context<'_>) -> Fate {
        let Some(ended) = self.commits.end() else {
            return Fate::Stays;
        };
        match self.conclude(ended, outcome, cx) {
            Ok(()) => Fate::Stays,
            Err(Exhausted) => self.end(Ending::Exhausted, cx),
        }
    }

    fn conclude(
        &mut self,
        ended: UnderWay,
        outcome: CommitOutcome,
        cx: &mut Context<'_>,
    ) -> Result<(), Exhausted> {
        self.liveness.handle_recorded(ended.next_request);
        match (outcome, ended.made) {
            (CommitOutcome::Done, Made::Replacements(replacements)) => self.hand_over(replacements),
            (CommitOutcome::Done, _) => {}
            (CommitOutcome::Refused, made) => self.undo(made, ended.then, cx)?,
        }
        match ended.then {
            Then::Nothing => {}
            Then::Reply { to, last } => self.release(to, last, cx),
            Then::Ask if outcome == CommitOutcome::Done && self.lifecycle == Lifecycle::Up => self.ask(cx),
            Then::Ask => self.withdraw(cx),
        }
        Ok(())
    }

    /// The fleet knows the IKE SAs that take the place of this one: the first gets the child SAs, and what is still to be asked about
    /// them.
    fn hand_over(&mut self, replacements: Vec<Replacement>) {
        let mut replacements: Vec<_> = replacements.into_iter().map(Self::from).collect();
        for replacement in &mut replacements {
            replacement.commits.inherit_limit(&self.commits);
        }
        if let Some(first) = replacements.first_mut() {
            first.state.children = std::mem::take(&mut self.state.children);
            first.liveness.adopt(&mut self.liveness);
            first.redirect = self.redirect.take();
        }
        self.rekeying.schedule(None);
        self.replacements.extend(replacements);
    }

    pub(super) fn release(&mut self, reply_to: Path, last: bool, cx: &mut Context<'_>) {
        cx.out.send(reply_to, self.state.window.last_reply());
        if last {
            self.lifecycle = Lifecycle::Deleted {
                until: cx.now + LINGER,
            };
        }
    }

    /// The fleet refuses what an exchange has made. If the peer has begun it, it gets an error in place of the reply; if
    /// we have, the peer has made its half already, and is told to delete it.
    fn undo(&mut self, made: Made, then: Then, cx: &mut Context<'_>) -> Result<(), Exhausted> {
        let is_ours = !matches!(then, Then::Reply { .. });
        match made {
            Made::Nothing | Made::Refused => return Ok(()),
            Made::Changes(before) => {
                self.undo_changes(before, cx);
                return Ok(());
            }
            Made::PeerReplacement => self.state.forget_peer_replacement(|_| true),
            Made::Child(spi) => self.undo_child(spi, is_ours, cx),
            Made::Replacements(replacements) => {
                self.state.rekeys.withdraw_replacement();
                if is_ours {
                    for replacement in replacements {
                        let mut replacement = Self::from(replacement);
                        replacement.leave(Ending::Removed, cx.out);
                        self.replacements.push(replacement);
                    }
                    self.postpone(ReplacedSa::Ike, cx);
                }
            }
        }
        if is_ours {
            return Ok(());
        }
        let (kind, data) = ChildRefusal::Fleet.notification();
        let payload = Payload::Notify(Notify::new(kind, &data));
        let window = &self.state.window;
        let (id, exchange) = (window.last_id(), wire::exchange_of(window.last_reply()));
        let exchange = exchange.unwrap_or(ExchangeType::CreateChildSa);
        let error = self
            .state
            .channel
            .seal(MessageKind::Response, exchange, id, &[payload])?;
        self.state.window.answer_instead(error);
        self.report(ChildRefusal::Fleet, cx.out);
        Ok(())
    }

    /// What the fleet has not taken is said again later: one commit speaks of several child SAs, and what is wrong with one of
    /// them must not leave the others where they were.
    fn undo_changes(&mut self, before: Before, cx: &mut Context<'_>) {
        for activation in before.activations.into_iter().rev() {
            self.state.children.undo_activation(activation, cx.now + AGAIN);
        }
        if let Some(outer) = before.outer {
            self.mobility.undo_follow(&mut self.state.address, outer, cx.now);
        }
    }

    fn undo_child(&mut self, spi: u32, is_ours: bool, cx: &mut Context<'_>) {
        let child = self.state.children.remove(spi);
        cx.release_esp_spi(spi);
        self.state
            .forget_peer_replacement(|peers| peers.child() == Some(spi));
        if is_ours {
            self.liveness.push(Request::DeleteChild(spi));
        }
        if is_ours && let Some(ChildPhase::Standby { replaces, .. }) = child.map(|child| child.phase()) {
            self.postpone(ReplacedSa::Child(replaces), cx);
        }
    }
}

impl From<Replacement> for Established {
    fn from(replacement: Replacement) -> Self {
        let mut sa = Self::new(replacement.state, replacement.made);
        if let Some(token) = replacement.token {
            sa.liveness.push(Request::GiveToken(token));
        }
        sa
    }
}
