//! Our requests, and the peer's responses to them.

use std::time::Instant;

use super::{Arrived, Established, Fate};
use crate::channel::{Exhausted, Kind, Opened};
use crate::outbox::Outbox;
use crate::requests::Request;
use crate::wire::{ExchangeType, NotifyType, Payload};
use crate::{Dropped, Ending};

impl Established {
    pub(super) fn handle_response(
        &mut self,
        arrived: Arrived<'_>,
        out: &mut Outbox,
    ) -> Result<Fate, Exhausted> {
        let header = arrived.message.header;
        if !self.requests.awaits(header.message_id) || header.exchange != ExchangeType::Informational {
            return Ok(self.discard(arrived, Dropped::Unexpected, out));
        }
        let opened = match self.state.channel.open(&mut self.responded, arrived) {
            Ok(Some(opened)) => opened,
            Ok(None) => return Ok(Fate::Stays),
            Err(dropped) => return Ok(self.discard(arrived, dropped, out)),
        };
        self.heard(arrived, self.in_step, out);
        self.in_step = true;
        self.state.next_request = header.message_id.checked_add(1).ok_or(Exhausted)?;
        let request = self.requests.answered();
        if request == Some(Request::DeleteIke) {
            return Ok(Fate::Gone);
        }
        match ending_by_response(&opened) {
            Some(ending) => Ok(self.end(ending, out)),
            None => self.send_waiting(arrived.now, out),
        }
    }

    /// Puts a DELETE of a child SA in line, if it is known.
    pub(crate) fn forget_child(&mut self, inbound_spi: u32) {
        let before = self.state.children.len();
        self.state.children.retain(|child| child.inbound != inbound_spi);
        if self.state.children.len() < before {
            self.requests.push(Request::DeleteChild(inbound_spi));
        }
    }

    /// Sends the next of our requests, if none is in flight.
    pub(crate) fn send_waiting(&mut self, now: Instant, out: &mut Outbox) -> Result<Fate, Exhausted> {
        if let Some(request) = self.requests.pop() {
            let (id, octets) = self.seal_request(&request)?;
            out.send(self.state.path, &octets);
            self.requests.sent(now, request, id, octets);
        }
        Ok(Fate::Stays)
    }

    /// The same octets again (RFC 7296 section 2.1); while the peer's window is not known, the same request with the
    /// next message ID, so that the search ends.
    pub(super) fn retransmit(&mut self, now: Instant, out: &mut Outbox) -> Result<(), Exhausted> {
        if let Some(request) = self.requests.in_flight().filter(|_| !self.in_step) {
            let (id, octets) = self.seal_request(&request.clone())?;
            self.requests.renumber(id, octets);
        }
        if let Some(octets) = self.requests.resend(now) {
            out.send(self.state.path, octets);
        }
        Ok(())
    }

    fn seal_request(&mut self, request: &Request) -> Result<(u32, Vec<u8>), Exhausted> {
        let id = self.state.next_request;
        let payloads = request.payloads();
        let octets = self
            .state
            .channel
            .seal(Kind::Request, ExchangeType::Informational, id, &payloads)?;
        self.state.next_request = id.checked_add(1).ok_or(Exhausted)?;
        Ok((id, octets))
    }
}

/// Errors in a response are not answered, but the IKE SA is cleaned up (RFC 7296 section 2.21); an INVALID_SYNTAX in
/// one is fatal for both sides (RFC 7296 section 2.21.3).
fn ending_by_response(opened: &Opened) -> Option<Ending> {
    match opened.payloads() {
        Err(error) => Some(Ending::Malformed(error.to_string())),
        Ok(payloads) => payloads.iter().find_map(|payload| match payload {
            Payload::Notify(notify) if notify.kind == NotifyType::INVALID_SYNTAX => {
                Some(Ending::PeerRefused(notify.kind.0))
            }
            _ => None,
        }),
    }
}
