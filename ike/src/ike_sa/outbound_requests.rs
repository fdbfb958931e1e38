//! Our requests, and the peer's responses to them.

use super::message_id::Step;
use super::{Established, Fate};
use crate::ike_sa::child_sas;
use crate::ike_sa::context::Context;
use crate::ike_sa::request_queue::Request;
use crate::message::channel::{Exhausted, Kind};
use crate::message::inbound::Arrived;
use crate::negotiation::redirect;
use crate::wire::{NotifyType, Payload};
use crate::{Dropped, Ending};

impl Established {
    pub(super) fn handle_response(
        &mut self,
        arrived: Arrived<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        let header = arrived.message.header;
        let Some(request) = self.requests.awaited(header.exchange, header.message_id) else {
            return Ok(self.discard(arrived, Dropped::Unexpected, cx.out));
        };
        let opened = match self.state.channel.open(&mut self.responded, arrived) {
            Ok(Some(opened)) => opened,
            Ok(None) => return Ok(Fate::Stays),
            Err(dropped) => return Ok(self.discard(arrived, dropped, cx.out)),
        };
        self.heard(arrived, self.step == Step::Known, cx.out);
        if self.committing.is_some() && matches!(request, Request::Rekey(..) | Request::FollowUp(_)) {
            return Ok(self.defer(arrived));
        }
        self.step.handle_answer(header.message_id);
        self.state.next_request = header.message_id.checked_add(1).ok_or(Exhausted)?;
        self.requests.answered();
        if request == Request::DeleteIke {
            return Ok(self.finish(cx));
        }
        let payloads = match opened.payloads() {
            Ok(payloads) => payloads,
            // Errors in a response are not answered, but the IKE SA is cleaned up (RFC 7296 section 2.21).
            Err(error) => return Ok(self.end(Ending::Malformed(error.to_string()), cx)),
        };
        if let Some(ending) = fatal_error(&payloads) {
            return Ok(self.end(ending, cx));
        }
        match request {
            Request::Rekey(..) | Request::FollowUp(_) => self.handle_rekeyed(&payloads, cx),
            // Should the peer's DELETE have crossed ours, it retires already.
            Request::DeleteChild(spi) => {
                if let Some(child) = self.state.children.get_mut(spi)
                    && child.phase == child_sas::Phase::Closing
                {
                    child.enter(child_sas::Phase::Retiring);
                }
                Ok(Fate::Stays)
            }
            Request::CheckPath(cookie2) => {
                self.path_checked(&cookie2, &payloads, cx);
                Ok(Fate::Stays)
            }
            // One after the other, until it answers one that it had not seen before.
            Request::Probe if self.step != Step::Known => {
                self.requests.push_front(Request::Probe);
                Ok(Fate::Stays)
            }
            Request::Probe | Request::Redirect | Request::GiveToken(_) | Request::DeleteIke => {
                Ok(Fate::Stays)
            }
        }
    }

    /// Sends the next of our requests, if none is in flight.
    pub(super) fn send_waiting(&mut self, cx: &mut Context<'_>) -> Result<(), Exhausted> {
        while self.may_ask()
            && let Some(request) = self.requests.pop()
        {
            match request {
                // The peer takes a message ID that is too low for a retransmission, and answers what it was asked then: a check
                // finds the right one. To an end any answer will do.
                request
                    if self.step != Step::Known
                        && !matches!(request, Request::Probe | Request::DeleteIke) =>
                {
                    self.requests.push_front(request);
                    self.send(Request::Probe, cx)?;
                }
                // It needs a commit of its own, and would collide with what the peer is about to finish.
                Request::Rekey(..) if self.committing.is_some() || self.state.follow_up.is_some() => {
                    self.requests.push_front(request);
                    return Ok(());
                }
                Request::Rekey(old, group) => self.begin_rekey(old, group, cx)?,
                // It leaves when its commit is done, and waits for nothing else.
                Request::FollowUp(_) => {}
                Request::CheckPath(_) => {
                    self.checking = Some(self.state.path);
                    self.send(request, cx)?;
                }
                Request::Redirect if self.is_redirect_moot() => {}
                Request::Probe
                | Request::Redirect
                | Request::GiveToken(_)
                | Request::DeleteChild(_)
                | Request::DeleteIke => {
                    self.send(request, cx)?;
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, request: Request, cx: &mut Context<'_>) -> Result<(), Exhausted> {
        let id = self.state.next_request;
        let octets = self.seal_informational(request, id)?;
        cx.out.send(self.state.path, &octets);
        self.requests.sent(cx.now, request, id, octets);
        Ok(())
    }

    /// The same octets again (RFC 7296 section 2.1).
    pub(super) fn retransmit(&mut self, cx: &mut Context<'_>) -> Result<(), Exhausted> {
        if let Step::Sought { last, .. } = self.step {
            return self.search(last, cx);
        }
        if let Some(octets) = self.requests.resend(cx.now) {
            cx.out.send(self.state.path, octets);
        }
        Ok(())
    }

    /// The same request with all message IDs that the peer may await, up to `last`. It drops those before, and takes those behind in
    /// a row.
    fn search(&mut self, last: u32, cx: &mut Context<'_>) -> Result<(), Exhausted> {
        if let Some((request, ids)) = self.requests.search(cx.now, last) {
            self.step.handle_search(*ids.end());
            for id in ids {
                let octets = self.seal_informational(request, id)?;
                cx.out.send(self.state.path, &octets);
            }
        }
        Ok(())
    }

    fn seal_informational(&mut self, request: Request, id: u32) -> Result<Vec<u8>, Exhausted> {
        let redirect = self.redirect.as_ref().map(|it| redirect::data(it.to()));
        let payloads = request.payloads(redirect.as_deref().unwrap_or_default());
        self.state
            .channel
            .seal(Kind::Request, request.exchange(), id, &payloads)
    }

    /// A request of our exchange, with its message ID. That counts as used when the response comes: what is committed until then
    /// lets the next owner begin with it again.
    pub(super) fn seal_request(
        &mut self,
        request: Request,
        payloads: &[Payload<'_>],
    ) -> Result<(u32, Vec<u8>), Exhausted> {
        let id = self.state.next_request;
        let octets = self
            .state
            .channel
            .seal(Kind::Request, request.exchange(), id, payloads)?;
        Ok((id, octets))
    }
}

/// An INVALID_SYNTAX in a response is fatal for both sides (RFC 7296 section 2.21.3).
fn fatal_error(payloads: &[Payload<'_>]) -> Option<Ending> {
    payloads.iter().find_map(|payload| match payload {
        Payload::Notify(notify) if notify.kind == NotifyType::INVALID_SYNTAX => {
            Some(Ending::PeerRefused(notify.kind.0))
        }
        _ => None,
    })
}
