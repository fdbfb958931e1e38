//! Our requests, and the peer's responses to them.

use super::liveness::Retransmission;
use super::{Established, Fate};
use crate::ike_sa::context::Context;
use crate::ike_sa::liveness::request_queue::Request;
use crate::message::channel::{Exhausted, MessageKind};
use crate::message::inbound::Arrived;
use crate::negotiation::redirect;
use crate::wire::{NotifyType, Payload, WireError};
use crate::{Dropped, Ending, What};

impl Established {
    pub(super) fn handle_response(
        &mut self,
        arrived: Arrived<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        let header = arrived.message.header;
        let Some(request) = self.liveness.awaited(header.exchange, header.message_id) else {
            return Ok(self.discard(arrived, Dropped::Unexpected, cx.out));
        };
        let opened = match self.state.channel.open(&mut self.responded, arrived) {
            Ok(Some(opened)) => opened,
            Ok(None) => return Ok(Fate::Stays),
            Err(dropped) => return Ok(self.discard(arrived, dropped, cx.out)),
        };
        self.handle_authentic(arrived, self.liveness.is_synchronized(), cx.out);
        if self.commits.is_under_way() && matches!(request, Request::Rekey(..) | Request::FollowUp(_)) {
            return Ok(self.defer(arrived));
        }
        self.liveness
            .handle_answer(header.message_id, &mut self.state.next_request)?;
        if request == Request::DeleteIke {
            return Ok(self.finish(cx));
        }
        let payloads = match opened.payloads() {
            Ok(payloads) => payloads,
            // Nothing in it is known to be wrong: as if it said nothing.
            Err(error @ WireError::TooManyPayloads) => {
                self.report(What::Dropped(error.into()), cx.out);
                Vec::new()
            }
            // Errors in a response are not answered, but the IKE SA is cleaned up (RFC 7296 section 2.21).
            Err(error) => return Ok(self.end(Ending::Malformed(error.to_string()), cx)),
        };
        if let Some(ending) = fatal_error(&payloads) {
            return Ok(self.end(ending, cx));
        }
        match request {
            Request::Rekey(..) | Request::FollowUp(_) => self.handle_rekeyed(&payloads, cx),
            Request::DeleteChild(spi) => {
                self.state.children.handle_deleted(spi);
                Ok(Fate::Stays)
            }
            Request::CheckPath(cookie2) => {
                self.path_checked(&cookie2, &payloads, cx);
                Ok(Fate::Stays)
            }
            // One after the other, until it answers one that it had not seen before.
            Request::Probe if !self.liveness.is_synchronized() => {
                self.liveness.push_front(Request::Probe);
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
            && let Some(request) = self.liveness.pop()
        {
            match request {
                // The peer takes a message ID that is too low for a retransmission, and answers what it was asked then: a check
                // finds the right one. To an end any answer will do.
                request
                    if !self.liveness.is_synchronized()
                        && !matches!(request, Request::Probe | Request::DeleteIke) =>
                {
                    self.liveness.push_front(request);
                    self.send(Request::Probe, cx)?;
                }
                // It needs a commit of its own, and would collide with what the peer is about to finish.
                Request::Rekey(..) if self.commits.is_under_way() || self.state.rekeys.awaits_follow_up() => {
                    self.liveness.push_front(request);
                    return Ok(());
                }
                Request::Rekey(old, group) => self.begin_rekey(old, group, cx)?,
                // It leaves when its commit is done, and waits for nothing else.
                Request::FollowUp(_) => {}
                Request::CheckPath(_) => {
                    self.mobility.check(&self.state.address);
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
        let id = self.state.next_request.get();
        let octets = self.seal_informational(request, id)?;
        cx.out.send(self.state.address.path(), &octets);
        self.liveness.sent(cx.now, request, id, octets);
        Ok(())
    }

    /// The same octets again; or the same request with all message IDs that the peer may expect.
    pub(super) fn retransmit(&mut self, cx: &mut Context<'_>) -> Result<(), Exhausted> {
        match self.liveness.retransmit(cx.now) {
            None => {}
            Some(Retransmission::Same(octets)) => cx.out.send(self.state.address.path(), octets),
            Some(Retransmission::Search(request, ids)) => {
                for id in ids {
                    let octets = self.seal_informational(request, id)?;
                    cx.out.send(self.state.address.path(), &octets);
                }
            }
        }
        Ok(())
    }

    fn seal_informational(&mut self, request: Request, id: u32) -> Result<Vec<u8>, Exhausted> {
        let redirect = self.redirect.as_ref().map(|it| redirect::data(it.to()));
        let payloads = request.payloads(redirect.as_deref().unwrap_or_default());
        self.state
            .channel
            .seal(MessageKind::Request, request.exchange(), id, &payloads)
    }

    /// A request of our exchange, with its message ID. That counts as used when the response comes: what is committed until then
    /// lets the next owner begin with it again.
    pub(super) fn seal_request(
        &mut self,
        request: Request,
        payloads: &[Payload<'_>],
    ) -> Result<(u32, Vec<u8>), Exhausted> {
        let id = self.state.next_request.get();
        let octets = self
            .state
            .channel
            .seal(MessageKind::Request, request.exchange(), id, payloads)?;
        Ok((id, octets))
    }
}

/// An INVALID_SYNTAX in a response is fatal for both sides (RFC 7296 section 2.21.3).
fn fatal_error(payloads: &[Payload<'_>]) -> Option<Ending> {
    let fatal = NotifyType::INVALID_SYNTAX;
    fatal.is_in(payloads).then_some(Ending::PeerRefused(fatal.0))
}
