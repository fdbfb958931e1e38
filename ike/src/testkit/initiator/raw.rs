//! What fuzzing does, and tests: messages that are authentic and need not make sense, and looks inside.

use super::Initiator;
use crate::message::udp;
use crate::testkit::session::Opened;
use crate::wire::{
    ExchangeType, Fragment, Header, Message, Notify, NotifyType, Payload, Transform, TransformType,
};
use crate::{Kem, Transmit};

impl Initiator {
    /// A request with any octets for payloads, the first being of type `first`; `None` before there are keys.
    pub(crate) fn raw_request(
        &mut self,
        exchange: ExchangeType,
        first: u8,
        chain: &[u8],
    ) -> Option<Transmit> {
        let octets = self.session.as_mut()?.raw_request(exchange, first, chain);
        Some(self.request(octets))
    }

    /// A response to a request of the responder, with any octets for payloads.
    pub(crate) fn raw_answer(&mut self, request: &Transmit, first: u8, chain: &[u8]) -> Option<Transmit> {
        let octets = udp::unwrap(self.path.peer.port(), &request.payload)?;
        let header = Header::decode(octets).ok()?;
        let session = self.session.as_mut()?;
        let octets = session.raw_reply(header.exchange, header.message_id, first, chain);
        Some(self.wrap(&octets))
    }

    /// A response that grants what the responder asks for with its own words: a proposal of its offer, with the first transform of
    /// each type, its nonce, its public value, and a link.
    pub(crate) fn echo(&mut self, request: &Transmit, proposal: usize) -> Option<Transmit> {
        let opened = self.open(&request.payload)?;
        let mut answer = Vec::new();
        for payload in opened.payloads().ok()? {
            answer.push(match payload {
                Payload::Sa(mut proposals) => {
                    let mut granted = proposals.swap_remove(proposal.min(proposals.len().checked_sub(1)?));
                    let mut kinds = Vec::new();
                    granted.transforms.retain(|transform| {
                        let is_chosen = !kinds.contains(&transform.kind) && !is_too_short(transform);
                        kinds.extend(is_chosen.then_some(transform.kind));
                        is_chosen
                    });
                    Payload::Sa(vec![granted])
                }
                Payload::Notify(_) => continue,
                payload => payload,
            });
        }
        let link = Notify::new(NotifyType::ADDITIONAL_KEY_EXCHANGE, b"link");
        answer.push(Payload::Notify(link));
        self.blind_answer(request, &answer)
    }

    /// This response to a request of the responder, which need not have been read.
    pub(crate) fn blind_answer(&mut self, request: &Transmit, payloads: &[Payload<'_>]) -> Option<Transmit> {
        let octets = udp::unwrap(self.path.peer.port(), &request.payload)?;
        let header = Header::decode(octets).ok()?;
        let session = self.session.as_mut()?;
        let reply = session.reply(header.exchange, header.message_id, payloads);
        Some(self.wrap(&reply))
    }

    /// The inside of a response of the responder.
    pub(crate) fn open(&self, datagram: &[u8]) -> Option<Opened> {
        let octets = udp::unwrap(self.path.peer.port(), datagram)?;
        let message = Message::decode_body(Header::decode(octets).ok()?, octets).ok()?;
        self.session.as_ref()?.open_whole(&message, octets)
    }

    /// A fragment of the next request, with any octets in it.
    pub(crate) fn raw_fragment(
        &mut self,
        exchange: ExchangeType,
        fragment: Fragment,
        first: u8,
        chunk: &[u8],
    ) -> Option<Transmit> {
        let session = self.session.as_mut()?;
        let octets = session.raw_fragment(exchange, fragment, first, chunk)?;
        Some(self.wrap(&octets))
    }

    /// A message of ours in fragments of at most `longest` octets, sealed again at each call.
    pub(crate) fn cut(&mut self, sent: &Transmit, longest: usize) -> Vec<Transmit> {
        let port = self.path.peer.port();
        let octets = udp::unwrap(port, &sent.payload).expect("our own message");
        let header = Header::decode(octets).expect("our own header");
        let fragments = match (Message::decode_body(header, octets), &mut self.session) {
            (Ok(message), Some(session)) => session.cut(&message, octets, longest),
            _ => None,
        };
        let fragments = fragments.unwrap_or_else(|| vec![octets.to_vec()]);
        let wrapped = fragments.iter().map(|fragment| self.wrap(fragment));
        wrapped.collect()
    }
}

/// A method whose public values do not pass for ciphertexts.
fn is_too_short(transform: &Transform) -> bool {
    transform.kind == TransformType::AdditionalKeyExchange1 && transform.id != Kem::MlKem1024.id()
}
