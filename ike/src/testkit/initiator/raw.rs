//! Messages that are authentic and need not make sense.

use super::Initiator;
use crate::Transmit;
use crate::udp;
use crate::wire::{ExchangeType, Fragment, Header, Message};

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

    /// A message of ours in fragments of at most `longest` octets, sealed anew at each call.
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
