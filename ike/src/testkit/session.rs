//! The initiator's half of an IKE SA: keys, IVs and message IDs.

use std::collections::BTreeMap;

use crate::crypto::IkeKeys;
use crate::message::sk::SkKey;
use crate::wire::{
    self, Encrypted, ExchangeType, Flags, Head, Message, Payload, PayloadType, WireError, decode_payloads,
};
use crate::{Cipher, IkeSpis, Secret};

/// Seals with SK_ei and opens with SK_er.
pub(super) struct Session {
    pub(super) spis: IkeSpis,
    pub(super) keys: IkeKeys,
    cipher: Cipher,
    next_iv: u64,
    /// Message ID of the next request.
    pub(super) next_request: u32,
    awaited: Option<u32>,
    /// The responder's next request and the reply to its last.
    next_peer_request: u32,
    last_reply: Vec<u8>,
    /// Of a message with this ID, each with the type of the payload that it names.
    pieces: (u32, BTreeMap<u16, (PayloadType, Vec<u8>)>),
}

/// The inside of an SK payload.
pub(crate) struct Opened {
    first: PayloadType,
    plaintext: Vec<u8>,
}

impl Opened {
    pub(super) fn first(&self) -> PayloadType {
        self.first
    }

    pub(super) fn chain(&self) -> &[u8] {
        &self.plaintext
    }

    pub(crate) fn payloads(&self) -> Result<Vec<Payload<'_>>, WireError> {
        decode_payloads(self.first, &self.plaintext)
    }
}

impl Session {
    pub(super) fn new(spis: IkeSpis, cipher: Cipher, keys: IkeKeys) -> Self {
        Self {
            spis,
            keys,
            cipher,
            next_iv: 0,
            next_request: 0,
            awaited: None,
            next_peer_request: 0,
            last_reply: Vec::new(),
            pieces: Default::default(),
        }
    }

    /// The request with this ID before the IKE SA is established, once more if it was made before.
    pub(super) fn early_request(
        &mut self,
        id: u32,
        exchange: ExchangeType,
        payloads: &[Payload<'_>],
    ) -> Vec<u8> {
        self.next_request = id;
        self.request(exchange, payloads)
    }

    /// The next request; its response is awaited from now on.
    pub(super) fn request(&mut self, exchange: ExchangeType, payloads: &[Payload<'_>]) -> Vec<u8> {
        let id = self.next_id();
        self.seal(exchange, id, false, wire::first_of(payloads), |out| {
            wire::encode_payloads(payloads, out)
        })
    }

    /// A request with any octets for payloads.
    #[cfg(any(test, fuzzing))]
    pub(super) fn raw_request(&mut self, exchange: ExchangeType, first: u8, chain: &[u8]) -> Vec<u8> {
        let id = self.next_id();
        self.seal(exchange, id, false, PayloadType(first), |out| {
            out.extend_from_slice(chain)
        })
    }

    /// A response with any octets for payloads.
    #[cfg(any(test, fuzzing))]
    pub(super) fn raw_reply(&mut self, exchange: ExchangeType, id: u32, first: u8, chain: &[u8]) -> Vec<u8> {
        self.seal(exchange, id, true, PayloadType(first), |out| {
            out.extend_from_slice(chain)
        })
    }

    /// A fragment of the next request, with any octets in it.
    #[cfg(any(test, fuzzing))]
    pub(super) fn raw_fragment(
        &mut self,
        exchange: ExchangeType,
        fragment: wire::Fragment,
        first: u8,
        chunk: &[u8],
    ) -> Option<Vec<u8>> {
        self.next_iv += 1;
        let head = Head {
            spis: self.spis,
            exchange,
            flags: Flags {
                initiator: true,
                response: false,
            },
            message_id: self.next_request,
        };
        let key = self.key(&self.keys.sk_ei)?;
        Some(key.seal_fragment(&head, PayloadType(first), fragment, chunk, self.next_iv))
    }

    fn next_id(&mut self) -> u32 {
        let id = self.next_request;
        self.next_request += 1;
        self.awaited = Some(id);
        id
    }

    pub(super) fn awaits(&self, id: u32) -> bool {
        self.awaited == Some(id)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.awaited.is_none()
    }

    pub(super) fn answered(&mut self) {
        self.awaited = None;
    }

    /// The reply to the responder's last request, if `id` is that of it.
    pub(super) fn repeated(&self, id: u32) -> Option<&[u8]> {
        (id.checked_add(1)? == self.next_peer_request).then_some(&self.last_reply)
    }

    /// Opens the responder's next request.
    pub(super) fn open_request(&mut self, message: &Message<'_>, octets: &[u8]) -> Option<Opened> {
        if message.header.message_id != self.next_peer_request {
            return None;
        }
        let opened = self.open(message, octets)?;
        self.next_peer_request += 1;
        Some(opened)
    }

    pub(super) fn reply(&mut self, exchange: ExchangeType, id: u32, payloads: &[Payload<'_>]) -> Vec<u8> {
        self.last_reply = self.seal(exchange, id, true, wire::first_of(payloads), |out| {
            wire::encode_payloads(payloads, out)
        });
        self.last_reply.clone()
    }

    pub(super) fn open_whole(&self, message: &Message<'_>, octets: &[u8]) -> Option<Opened> {
        let Some(Encrypted::Whole { first, body }) = message.encrypted else {
            return None;
        };
        let plaintext = self.key(&self.keys.sk_er)?.open(octets, body.len()).ok()?;
        Some(Opened { first, plaintext })
    }

    /// `None` for a fragment too, unless it is the last one missing.
    pub(super) fn open(&mut self, message: &Message<'_>, octets: &[u8]) -> Option<Opened> {
        let Some(Encrypted::Fragment {
            first,
            fragment,
            body,
        }) = message.encrypted
        else {
            return self.open_whole(message, octets);
        };
        let piece = self.key(&self.keys.sk_er)?.open(octets, body.len()).ok()?;
        if self.pieces.0 != message.header.message_id {
            self.pieces = (message.header.message_id, BTreeMap::new());
        }
        self.pieces.1.insert(fragment.number, (first, piece));
        if self.pieces.1.len() < usize::from(fragment.total) {
            return None;
        }
        let pieces = std::mem::take(&mut self.pieces.1);
        let first = pieces.values().next()?.0;
        let plaintext = pieces.into_values().flat_map(|(_, piece)| piece).collect();
        Some(Opened { first, plaintext })
    }

    #[cfg(any(test, fuzzing))]
    /// A whole message of ours in fragments of at most `longest` octets (RFC 7383 section 2.5).
    pub(super) fn cut(
        &mut self,
        message: &Message<'_>,
        octets: &[u8],
        longest: usize,
    ) -> Option<Vec<Vec<u8>>> {
        let Some(Encrypted::Whole { first, body }) = message.encrypted else {
            return None;
        };
        let key = self.key(&self.keys.sk_ei)?;
        let chain = key.open(octets, body.len()).ok()?;
        let header = message.header;
        let head = Head {
            spis: header.spis,
            exchange: header.exchange,
            flags: header.flags,
            message_id: header.message_id,
        };
        let chunks = chain.chunks(key.fragment_room(longest));
        let total = chunks.len() as u16;
        let sealed = (1..).zip(chunks).map(|(number, chunk)| {
            self.next_iv += 1;
            let first = if number == 1 { first } else { PayloadType::NONE };
            key.seal_fragment(
                &head,
                first,
                wire::Fragment { number, total },
                chunk,
                self.next_iv,
            )
        });
        Some(sealed.collect())
    }

    fn seal(
        &mut self,
        exchange: ExchangeType,
        message_id: u32,
        response: bool,
        first: PayloadType,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<u8> {
        let flags = Flags {
            initiator: true,
            response,
        };
        let head = Head {
            spis: self.spis,
            exchange,
            flags,
            message_id,
        };
        self.next_iv += 1;
        let key = self.key(&self.keys.sk_ei);
        key.map(|key| key.seal_chain(&head, first, encode, self.next_iv))
            .unwrap_or_default()
    }

    fn key(&self, secret: &Secret) -> Option<SkKey> {
        SkKey::new(self.cipher, secret)
    }
}
