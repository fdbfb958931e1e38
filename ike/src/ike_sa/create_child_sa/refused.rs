//! The peer's refusals of our own CREATE_CHILD_SA (RFC 7296 section 2.25).

use super::initiate::release_spi;
use super::pending::{AwaitedResponse, Exchange, Subject};
use crate::ike_sa::child_sas::ChildPhase;
use crate::ike_sa::commits::{Made, Then};
use crate::ike_sa::context::Context;
use crate::ike_sa::liveness::request_queue::Request;
use crate::ike_sa::state::{PeerReplacement, ReplacementSa};
use crate::ike_sa::{Established, Fate, Lifecycle};
use crate::wire::{Notify, NotifyType, WireError};
use crate::{Change, Ending, Side, What};

impl Established {
    /// The peer does not want what we have asked for.
    pub(super) fn handle_refusal(
        &mut self,
        exchange: Exchange,
        peers: Option<PeerReplacement>,
        error: &Notify<'_>,
        cx: &mut Context<'_>,
    ) -> Fate {
        self.report(What::RekeyRefused(error.kind.0), cx.out);
        release_spi(&exchange.subject, cx);
        self.go_on_without(exchange, peers, error, cx);
        // The next owner must not ask once more, with a message ID that is behind the peer by then.
        if self.lifecycle == Lifecycle::Up && !self.commits.is_under_way() {
            self.commit(vec![self.put()], Then::Nothing, Made::Refused, cx);
        }
        Fate::Stays
    }

    /// The peer grants what we have not asked for. That costs this rekey, and not the IKE SA, whose child SAs work: the peer
    /// deletes what it has made, and is asked again later, as after a refusal.
    pub(super) fn handle_unusable(
        &mut self,
        subject: &Subject,
        peers: Option<PeerReplacement>,
        error: &WireError,
        cx: &mut Context<'_>,
    ) -> Fate {
        self.report(What::RekeyUnusable(error.to_string()), cx.out);
        release_spi(subject, cx);
        if let Some(inbound_spi) = subject.child() {
            self.liveness.push_front(Request::DeleteChild(inbound_spi));
        }
        match peers.map(|peers| peers.sa) {
            Some(ReplacementSa::Child(_)) => {}
            Some(ReplacementSa::Ike(state)) => {
                let (changes, replacement) = self.replace(*state, Side::Peer, cx);
                let made = Made::Replacements(vec![replacement]);
                self.commit(changes, Then::Nothing, made, cx);
            }
            None => {
                self.rekeying.handle_refused();
                match self.rekeying.is_refused_for_good() {
                    true => self.close(Ending::RekeyRefused, cx),
                    false => self.postpone(subject.old(), cx),
                }
            }
        }
        // The next owner must not ask once more, with a message ID that is behind the peer by then.
        if self.lifecycle == Lifecycle::Up && !self.commits.is_under_way() {
            self.commit(vec![self.put()], Then::Nothing, Made::Refused, cx);
        }
        Fate::Stays
    }

    fn go_on_without(
        &mut self,
        exchange: Exchange,
        peers: Option<PeerReplacement>,
        error: &Notify<'_>,
        cx: &mut Context<'_>,
    ) {
        match (peers.map(|peers| peers.sa), &exchange.subject) {
            // The peer has not noticed our rekey, or not in time: its own counts (RFC 7296 sections 2.8.1 and 2.8.2).
            (Some(ReplacementSa::Child(_)), _) => return,
            (Some(ReplacementSa::Ike(state)), _) => {
                let (changes, replacement) = self.replace(*state, Side::Peer, cx);
                let made = Made::Replacements(vec![replacement]);
                return self.commit(changes, Then::Nothing, made, cx);
            }
            (None, Subject::Child { replaces, .. })
                if error.kind == NotifyType::CHILD_SA_NOT_FOUND
                    && !self.state.children.is_lost(*replaces) =>
            {
                return self.lose_child(*replaces, cx);
            }
            // It was for the peer to want.
            (None, Subject::Child { replaces, .. })
                if self.state.children.is_lost(*replaces) && !is_passing(error.kind) =>
            {
                return self.state.children.forget_lost(*replaces);
            }
            (None, _) => {}
        }
        let refusals = self.rekeying.handle_refused();
        // The one thing that a peer may have wanted besides, which no error names.
        if error.kind == NotifyType::NO_PROPOSAL_CHOSEN {
            self.state.rekeys.note_follows_up();
        }
        let asked = match &exchange.awaited {
            AwaitedResponse::Asked(asked) => Some(asked.group.id()),
            AwaitedResponse::Following(_) => None,
        };
        let wanted = wanted_group(error).filter(|wanted| asked.is_some_and(|asked| asked != *wanted));
        let wanted = wanted.and_then(|id| cx.groups().iter().copied().find(|group| group.id() == id));
        match wanted {
            _ if self.rekeying.is_refused_for_good() => self.close(Ending::RekeyRefused, cx),
            // At once, but not to and fro.
            Some(group) if refusals == 1 => self
                .liveness
                .push_front(Request::Rekey(exchange.subject.old(), group)),
            _ => self.postpone(exchange.subject.old(), cx),
        }
    }

    /// "A peer that receives a CHILD_SA_NOT_FOUND notification SHOULD silently delete the Child SA (if it still exists) and send
    /// a request to create a new Child SA from scratch (if the Child SA does not yet exist)" (RFC 7296 section 2.25). One that the
    /// peer has deleted meanwhile it has not lost.
    fn lose_child(&mut self, inbound_spi: u32, cx: &mut Context<'_>) {
        let child = self.state.children.get(inbound_spi);
        if child.is_some_and(|child| child.phase() == ChildPhase::Active) {
            self.report(What::ChildrenDeleted(vec![inbound_spi]), cx.out);
            self.state.children.lose(inbound_spi);
            cx.release_esp_spi(inbound_spi);
            let changes = vec![Change::RemoveChild(inbound_spi), self.put()];
            self.commit(changes, Then::Nothing, Made::Refused, cx);
        }
    }
}

/// True for an error that another request may not meet.
fn is_passing(kind: NotifyType) -> bool {
    matches!(
        kind,
        NotifyType::TEMPORARY_FAILURE | NotifyType::INVALID_KE_PAYLOAD
    )
}

/// The group that INVALID_KE_PAYLOAD asks for (RFC 7296 section 1.3).
fn wanted_group(error: &Notify<'_>) -> Option<u16> {
    let group = error.data.try_into().map(u16::from_be_bytes).ok()?;
    (error.kind == NotifyType::INVALID_KE_PAYLOAD).then_some(group)
}
