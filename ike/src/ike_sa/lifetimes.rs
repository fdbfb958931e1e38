//! What time does to an IKE SA and its child SAs: they are rekeyed, activated, deleted and removed.

use std::time::Duration;

use super::Established;
use super::commits::{Before, Made, Then};
use crate::ike_sa::child_sas::{Activation, ChildPhase, DueRequest};
use crate::ike_sa::context::Context;
use crate::ike_sa::liveness::request_queue::{ReplacedSa, Request};
use crate::{Change, ChildUpdate, Side};

/// How long the peer may take to delete an IKE SA that it has replaced, until we do.
const PATIENCE: Duration = Duration::from_secs(60);

/// After a rekey that came to nothing. "It MUST NOT immediately retry the operation" (RFC 7296 section 2.25).
const RETRY: Duration = Duration::from_secs(60);

impl Established {
    /// Decides when the phases end whose end is open.
    pub(super) fn schedule(&mut self, cx: &mut Context<'_>) {
        let limits = cx.config.limits;
        self.state
            .children
            .schedule(cx.now, |made| rekey_in(limits.child_lifetime, made, cx));
        if self.rekeying.due_at().is_none() {
            let left = match self.state.rekeys.is_replaced() {
                true => Some(PATIENCE),
                false => rekey_in(limits.ike_lifetime, self.state.made(), cx),
            };
            self.rekeying.schedule(left.map(|left| cx.now + left));
        }
    }

    /// Activates the child SAs whose standby ends, removes those that have retired, and has all of them follow the peer.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>) {
        let (mut changes, mut before) = (Vec::new(), Before::default());
        let standby = self.state.children.due_in_standby(cx.now);
        let retired = self.state.children.due_to_be_removed(cx.now);
        for spi in standby {
            changes.push(self.activate(spi, &mut before.activations));
        }
        for spi in retired {
            changes.push(self.remove_child(spi, cx));
        }
        let outer = self.state.address.outer();
        let moved = self.follow(cx.now);
        before.outer = moved.is_some().then_some(outer);
        let is_to_be_recorded = self.liveness.is_record_due(self.state.next_request);
        if moved.is_some() || !changes.is_empty() || is_to_be_recorded {
            changes.extend(moved.into_iter().flatten());
            changes.push(self.put());
            self.commit(changes, Then::Nothing, Made::Changes(before), cx);
        }
    }

    /// Puts in line what is to be asked of the peer.
    pub(super) fn queue_due(&mut self, cx: &mut Context<'_>) {
        if self.commits.is_under_way() {
            return;
        }
        self.queue_check(cx);
        let group = self.state.suite().dh;
        let due = self.state.children.due_requests(cx.now, cx.now + RETRY);
        for request in due {
            self.liveness.push_once(match request {
                DueRequest::Rekey(spi) => Request::Rekey(ReplacedSa::Child(spi), group),
                DueRequest::Delete(spi) => Request::DeleteChild(spi),
            });
        }
        if self.rekeying.is_due(cx.now) {
            self.rekeying.schedule(Some(cx.now + RETRY));
            match self.state.rekeys.is_replaced() {
                true => self.state.rekeys.replace(Side::Us),
                false => self.liveness.push_once(Request::Rekey(ReplacedSa::Ike, group)),
            }
        }
        if self.state.rekeys.is_ours_to_delete() {
            self.liveness.push_once(Request::DeleteIke);
        }
        if !self.state.rekeys.is_replaced() {
            self.follow_operator(cx);
        }
    }

    /// Some edge's kernel has seen the peer use a child SA.
    pub(crate) fn handle_child_used(&mut self, inbound_spi: u32, cx: &mut Context<'_>) {
        self.state.children.handle_used(inbound_spi, cx.now);
    }

    /// Some edge's kernel may soon send no more on a child SA. While the peer refuses to rekey it, a notice changes
    /// nothing.
    pub(crate) fn handle_child_near_limit(&mut self, inbound_spi: u32, cx: &mut Context<'_>) {
        if !self.rekeying.is_refused() {
            self.state.children.handle_near_limit(inbound_spi, cx.now);
        }
    }

    /// The fleet has dropped a child SA: the peer will be told, unless it has deleted it itself. Not committed: should
    /// another edge take over, it would know a child SA too many, which does no harm until the peer deletes it too.
    pub(crate) fn forget_child(&mut self, inbound_spi: u32) {
        if let Some(child) = self.state.children.remove(inbound_spi)
            && child.phase() != ChildPhase::Retiring
        {
            self.liveness.push_once(Request::DeleteChild(inbound_spi));
        }
    }

    /// Another rekey of the same is tried later; both sides may have refused each other's, and shall not do so again at
    /// once.
    pub(super) fn postpone(&mut self, old: ReplacedSa, cx: &mut Context<'_>) {
        let later = cx.now + RETRY / 2 + cx.part_of(RETRY / 2);
        match old {
            ReplacedSa::Ike => self.rekeying.schedule(Some(later)),
            ReplacedSa::Child(spi) => self.state.children.postpone_rekey(spi, later),
        }
    }

    /// The child SA, which was in standby, sends from now on. Notes how it was `before`.
    pub(super) fn activate(&mut self, inbound_spi: u32, before: &mut Vec<Activation>) -> Change {
        before.extend(self.state.children.activate(inbound_spi));
        Change::UpdateChild {
            inbound_spi,
            update: ChildUpdate::Activate,
        }
    }

    pub(super) fn remove_child(&mut self, inbound_spi: u32, cx: &mut Context<'_>) -> Change {
        self.state.children.remove(inbound_spi);
        cx.release_esp_spi(inbound_spi);
        Change::RemoveChild(inbound_spi)
    }
}

/// What is left until we rekey of the lifetime of what was `made` then, in seconds of Unix time: up to a tenth less than
/// all of it, so that what was made at once is not rekeyed at once (RFC 7296 section 2.8.1). Nor is, after a pause of the
/// whole fleet, what became too old meanwhile.
fn rekey_in(lifetime: Option<Duration>, made: u64, cx: &mut Context<'_>) -> Option<Duration> {
    let lifetime = lifetime?;
    let age = Duration::from_secs(cx.unix_seconds().saturating_sub(made));
    let jitter = cx.part_of(lifetime / 10);
    Some(match lifetime.saturating_sub(age + jitter) {
        Duration::ZERO => jitter,
        left => left,
    })
}
