//! What comes protected by the keys of the IKE SA: responses, and requests of the responder.

use super::{Initiator, Status, Violation};
use crate::Transmit;
use crate::fleet::qcd;
use crate::wire::{Delete, ExchangeType, Message, NotifyType, Payload, Protocol};

impl Initiator {
    pub(super) fn handle_protected(
        &mut self,
        message: &Message<'_>,
        octets: &[u8],
    ) -> Result<Option<Transmit>, Violation> {
        let Some(session) = &mut self.session else {
            return Ok(None);
        };
        let header = message.header;
        if !header.flags.response {
            return self.handle_request(message, octets);
        }
        if !session.awaits(header.message_id) {
            return Ok(None);
        }
        let token = self.token.as_ref().filter(|_| message.encrypted.is_none());
        if token.is_some_and(|token| qcd::is_shown(token, &message.payloads)) {
            self.status = Status::Closed;
            return Ok(None);
        }
        let Some(opened) = session.open(message, octets) else {
            return Ok(None);
        };
        session.answered();
        if header.exchange == ExchangeType::IkeIntermediate {
            return self.handle_intermediate(&opened);
        }
        let payloads = opened
            .payloads()
            .map_err(|_| Violation("a response that does not decode"))?;
        match header.exchange {
            ExchangeType::IkeAuth => self.handle_auth(&payloads)?,
            ExchangeType::CreateChildSa => return self.handle_rekeyed(&payloads),
            _ => self.succeed(),
        }
        Ok(None)
    }

    /// A request of the responder: answered, and answered the same when it comes again.
    pub(super) fn handle_request(
        &mut self,
        message: &Message<'_>,
        octets: &[u8],
    ) -> Result<Option<Transmit>, Violation> {
        let Some(session) = &mut self.session else {
            return Ok(None);
        };
        if let Some(reply) = session.repeated(message.header.message_id) {
            let reply = reply.to_vec();
            return Ok(Some(self.wrap(&reply)));
        }
        let Some(opened) = session.open_request(message, octets) else {
            return Ok(None);
        };
        let payloads = opened
            .payloads()
            .map_err(|_| Violation("a request that does not decode"))?;
        let mut answer = Vec::new();
        for payload in &payloads {
            match payload {
                Payload::Delete(Delete::Ike) => self.status = Status::Closed,
                Payload::Delete(Delete::Child { spis, .. }) => {
                    if let Some(child) = self.child.take_if(|child| spis.contains(&child.outbound_spi)) {
                        let spis = vec![child.inbound_spi];
                        answer.push(Payload::Delete(Delete::Child {
                            protocol: Protocol::Esp,
                            spis,
                        }));
                    }
                }
                Payload::Notify(notify) if notify.kind == NotifyType::COOKIE2 => answer.push(payload.clone()),
                _ => {}
            }
        }
        let reply = session.reply(message.header.exchange, message.header.message_id, &answer);
        Ok(Some(self.wrap(&reply)))
    }
}
