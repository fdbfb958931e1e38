//! What time does to an IKE SA and its child SAs: they are rekeyed, activated, deleted and removed.

use std::time::Duration;

use super::Established;
use super::commits::{Made, Then};
use super::message_id::UNRECORDED;
use crate::ike_sa::child_sas;
use crate::ike_sa::context::Context;
use crate::ike_sa::request_queue::{Old, Request};
use crate::{Change, ChildUpdate, Side};

/// How long the peer may take to delete an IKE SA that it has replaced, until we do.
const PATIENCE: Duration = Duration::from_secs(60);

/// After a rekey that came to nothing. "It MUST NOT immediately retry the operation" (RFC 7296 section 2.25).
const RETRY: Duration = Duration::from_secs(60);

impl Established {
    /// Decides when the phases end whose end is open.
    pub(super) fn schedule(&mut self, cx: &mut Context<'_>) {
        let limits = cx.config.limits;
        for child in self.state.children.iter_mut() {
            let now = cx.now;
            child.schedule(now, |made| rekey_in(limits.child_lifetime, made, cx));
        }
        if self.until.is_none() {
            let left = match self.state.replaced {
                Some(_) => Some(PATIENCE),
                None => rekey_in(limits.ike_lifetime, self.state.made, cx),
            };
            self.until = left.map(|left| cx.now + left);
        }
    }

    /// Activates the child SAs whose standby ends, removes those that have retired, and has all of them follow the peer.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>) {
        let mut changes = Vec::new();
        let due = |phase: fn(&child_sas::Phase) -> bool| {
            let due = self.state.children.iter();
            let due = due.filter(|child| child.is_due(cx.now) && phase(&child.phase));
            due.map(|child| child.spis.inbound).collect::<Vec<_>>()
        };
        let standby = due(|phase| matches!(phase, child_sas::Phase::Standby { .. }));
        let retired = due(|phase| *phase == child_sas::Phase::Retiring);
        for spi in standby {
            changes.push(self.activate(spi));
        }
        for spi in retired {
            changes.push(self.remove_child(spi, cx));
        }
        let moved = self.follow(cx.now);
        // Before that many requests are under way that none may be sent.
        let is_to_be_recorded = self.unrecorded() >= UNRECORDED / 2;
        if moved.is_some() || !changes.is_empty() || is_to_be_recorded {
            changes.extend(moved.into_iter().flatten());
            changes.push(self.put());
            self.commit(changes, Then::Nothing, Made::Nothing, cx);
        }
    }

    /// Puts in line what is to be asked of the peer.
    pub(super) fn queue_due(&mut self, cx: &mut Context<'_>) {
        if self.committing.is_some() {
            return;
        }
        self.queue_check(cx);
        let group = self.state.suite.dh;
        let mut wanted = Vec::new();
        for child in self.state.children.iter_mut() {
            let spi = child.spis.inbound;
            let is_due = child.is_due(cx.now);
            match child.phase {
                child_sas::Phase::Replaced if is_due => child.enter(child_sas::Phase::Closing),
                child_sas::Phase::Active | child_sas::Phase::Lost if is_due => {
                    child.until = Some(cx.now + RETRY);
                    wanted.push(Request::Rekey(Old::Child(spi), group));
                }
                _ => {}
            }
            if child.phase == child_sas::Phase::Closing {
                wanted.push(Request::DeleteChild(spi));
            }
        }
        if self.until.is_some_and(|until| until <= cx.now) {
            self.until = Some(cx.now + RETRY);
            match self.state.replaced {
                Some(_) => self.state.replaced = Some(Side::Us),
                None => wanted.push(Request::Rekey(Old::Ike, group)),
            }
        }
        if self.state.replaced == Some(Side::Us) {
            wanted.push(Request::DeleteIke);
        }
        for request in wanted {
            if !self.requests.has(|other| request.is_same(other)) {
                self.requests.push(request);
            }
        }
        if self.state.replaced.is_none() {
            self.follow_operator(cx);
        }
    }

    /// Some edge's kernel has seen the peer use a child SA.
    pub(crate) fn handle_child_used(&mut self, inbound_spi: u32, cx: &mut Context<'_>) {
        if let Some(child) = self.state.children.get_mut(inbound_spi)
            && matches!(child.phase, child_sas::Phase::Standby { .. })
        {
            child.until = Some(cx.now);
        }
    }

    /// Some edge's kernel may soon send no more on a child SA. While the peer refuses to rekey it, a notice changes
    /// nothing.
    pub(crate) fn handle_child_worn(&mut self, inbound_spi: u32, cx: &mut Context<'_>) {
        if self.refusals == 0
            && let Some(child) = self.state.children.get_mut(inbound_spi)
            && child.phase == child_sas::Phase::Active
        {
            child.until = Some(cx.now);
        }
    }

    /// The fleet has dropped a child SA: the peer will be told, unless it has deleted it itself. Not committed: should
    /// another edge take over, it would know a child SA too many, which does no harm until the peer deletes it too.
    pub(crate) fn forget_child(&mut self, inbound_spi: u32) {
        if let Some(child) = self.state.children.remove(inbound_spi) {
            let delete = Request::DeleteChild(inbound_spi);
            if child.phase != child_sas::Phase::Retiring && !self.requests.has(|it| it == delete) {
                self.requests.push(delete);
            }
        }
    }

    /// Another rekey of the same is tried later; both sides may have refused each other's, and shall not do so again at
    /// once.
    pub(super) fn postpone(&mut self, old: Old, cx: &mut Context<'_>) {
        let later = Some(cx.now + RETRY / 2 + cx.part_of(RETRY / 2));
        match old {
            Old::Ike => self.until = later,
            Old::Child(spi) => {
                if let Some(child) = self.state.children.get_mut(spi)
                    && matches!(child.phase, child_sas::Phase::Active | child_sas::Phase::Lost)
                {
                    child.until = later;
                }
            }
        }
    }

    /// The child SA, which was in standby, sends from now on.
    pub(super) fn activate(&mut self, inbound_spi: u32) -> Change {
        self.state.children.activate(inbound_spi);
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
