//! The protected channel of an IKE SA: its message keys and the IVs of what we send.

use serde::{Deserialize, Serialize};

use crate::message::fragments::{Assembled, Assembly};
use crate::message::inbound::Arrived;
use crate::message::sk::SkKey;
use crate::wire::{
    self, Encrypted, ExchangeType, Flags, Fragment, Head, Payload, PayloadType, WireError, decode_payloads,
};
use crate::{Cipher, Dropped, IkeSpis, Secret};

/// IVs for one IKE SA: the incarnation of the process in the high 32 bits, a counter in the low.
///
/// None repeats under a key: the distributor gives an incarnation to one process only, once; within a process the
/// counter of a restored IKE SA starts above that of every IKE SA the process has run before, itself included.
#[derive(Debug, Default)]
pub(crate) struct Ivs {
    incarnation: u32,
    /// `None` when all are used up; the default, so that a restored channel is mute until it gets IVs.
    next: Option<u32>,
}

impl Ivs {
    pub(crate) fn new(incarnation: u32, first: u32) -> Self {
        Self {
            incarnation,
            next: Some(first),
        }
    }

    /// A counter value that has not been used.
    pub(crate) fn unused(&self) -> u32 {
        self.next.unwrap_or(u32::MAX)
    }

    fn take(&mut self) -> Result<u64, Exhausted> {
        let counter = self.next.ok_or(Exhausted)?;
        self.next = counter.checked_add(1);
        Ok(u64::from(self.incarnation) << 32 | u64::from(counter))
    }
}

/// No IV is left: the IKE SA has to end.
#[derive(Debug)]
pub(crate) struct Exhausted;

/// Which end of the IKE SA we are (RFC 7296 section 2.2): its original responder, unless we made it by a rekey of ours
/// (RFC 7296 section 1.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    Initiator,
    Responder,
}

impl Role {
    /// Ours in the IKE SA of a message with these `flags` from the peer.
    pub(crate) fn of_receiver(flags: Flags) -> Self {
        match flags.initiator {
            true => Self::Responder,
            false => Self::Initiator,
        }
    }

    /// From the order of [`IkeSpis`] to that of the header, and back.
    pub(crate) fn swap(self, spis: IkeSpis) -> IkeSpis {
        match self {
            Self::Responder => spis,
            Self::Initiator => IkeSpis {
                initiator: spis.responder,
                responder: spis.initiator,
            },
        }
    }
}

/// Opens what the peer sends and seals what we send.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Channel {
    pub(crate) spis: IkeSpis,
    pub(crate) role: Role,
    cipher: Cipher,
    /// Octets of the longest message that is sent in one piece; `None` for a peer that takes no fragments (RFC 7383).
    pub(crate) longest: Option<u16>,
    /// Octets only: a key ready for use is several times as large, and made in less than the time of an HMAC.
    sk_ei: Secret,
    sk_er: Secret,
    #[serde(skip)]
    pub(crate) ivs: Ivs,
}

/// Which of the messages of an exchange is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageKind {
    Request,
    Response,
}

impl Channel {
    /// With keys that nothing was sent with yet, in a process of this `incarnation`.
    pub(crate) fn new(
        spis: IkeSpis,
        role: Role,
        cipher: Cipher,
        longest: Option<u16>,
        (sk_ei, sk_er): (Secret, Secret),
        incarnation: u32,
    ) -> Self {
        Self {
            spis,
            role,
            cipher,
            longest,
            sk_ei,
            sk_er,
            ivs: Ivs::new(incarnation, 0),
        }
    }

    /// The key of what the peer sends, and that of what we send.
    fn keys(&self) -> (&Secret, &Secret) {
        match self.role {
            Role::Responder => (&self.sk_ei, &self.sk_er),
            Role::Initiator => (&self.sk_er, &self.sk_ei),
        }
    }

    /// What the SK payload of the message that has `arrived` holds; `None` while fragments of it are missing, which
    /// `assembly` collects.
    pub(crate) fn open(
        &self,
        assembly: &mut Assembly,
        arrived: Arrived<'_>,
    ) -> Result<Option<Opened>, Dropped> {
        let Arrived { now, message, .. } = arrived;
        match message.encrypted {
            Some(Encrypted::Whole { first, body }) => Ok(Some(Opened {
                first,
                plaintext: self.decrypt(arrived, body)?,
                first_fragment: None,
            })),
            Some(Encrypted::Fragment {
                first,
                fragment,
                body,
            }) if self.longest.is_some() => {
                if !assembly.wants(now, message.header.message_id, fragment)? {
                    return Ok(None);
                }
                let piece = Secret::new(self.decrypt(arrived, body)?);
                let assembled = assembly.add(arrived, fragment, first, piece)?;
                Ok(assembled.map(Opened::from))
            }
            // "IKE fragmentation MUST NOT be used unless both peers have indicated their support" (RFC 7383 section 2.4).
            Some(Encrypted::Fragment { .. }) => Err(Dropped::Unexpected),
            None => Err(Dropped::NotAuthentic),
        }
    }

    /// True when the fragment that has `arrived` is the peer's, whatever it holds.
    pub(crate) fn is_authentic(&self, arrived: Arrived<'_>) -> bool {
        match arrived.message.encrypted {
            Some(Encrypted::Whole { body, .. } | Encrypted::Fragment { body, .. }) => {
                self.decrypt(arrived, body).is_ok()
            }
            None => false,
        }
    }

    fn decrypt(&self, arrived: Arrived<'_>, body: &[u8]) -> Result<Vec<u8>, Dropped> {
        let key = SkKey::new(self.cipher, self.keys().0).ok_or(Dropped::NotAuthentic)?;
        key.open(arrived.octets, body.len())
            .map_err(|_| Dropped::NotAuthentic)
    }

    /// A message, or its fragments one behind the other: [`crate::wire::split`] parts them.
    pub(crate) fn seal(
        &mut self,
        kind: MessageKind,
        exchange: ExchangeType,
        message_id: u32,
        payloads: &[Payload<'_>],
    ) -> Result<Vec<u8>, Exhausted> {
        let head = self.head(kind, exchange, message_id);
        // Keys of a wrong length, from a snapshot, open nothing: so there is nothing to seal either.
        let key = SkKey::new(self.cipher, self.keys().1).ok_or(Exhausted)?;
        let whole = key.seal(&head, payloads, self.ivs.take()?);
        match self.longest.map(usize::from) {
            // Sealed in vain: so large a message is rare, and the others are spared a question.
            Some(longest) if whole.len() > longest => self.seal_fragments(&key, &head, payloads, longest),
            _ => Ok(whole),
        }
    }

    /// The header of what we send.
    pub(crate) fn head(&self, kind: MessageKind, exchange: ExchangeType, message_id: u32) -> Head {
        let flags = Flags {
            initiator: self.role == Role::Initiator,
            response: kind == MessageKind::Response,
        };
        Head {
            spis: self.role.swap(self.spis),
            exchange,
            flags,
            message_id,
        }
    }

    fn seal_fragments(
        &mut self,
        key: &SkKey,
        head: &Head,
        payloads: &[Payload<'_>],
        longest: usize,
    ) -> Result<Vec<u8>, Exhausted> {
        let mut chain = Vec::new();
        wire::encode_payloads(payloads, &mut chain);
        let chunks = chain.chunks(key.fragment_room(longest));
        // What fits a datagram, 2^16 octets at most, has far fewer fragments.
        let total = chunks.len() as u16;
        let mut messages = Vec::with_capacity(chunks.len() * longest);
        for (number, chunk) in (1..).zip(chunks) {
            let first = match number {
                1 => wire::first_of(payloads),
                _ => PayloadType::NONE,
            };
            let fragment = Fragment { number, total };
            messages.extend(key.seal_fragment(head, first, fragment, chunk, self.ivs.take()?));
        }
        Ok(messages)
    }
}

/// The authentic inside of an SK payload, or of the SKF payloads of all fragments.
pub(crate) struct Opened {
    first: PayloadType,
    plaintext: Vec<u8>,
    first_fragment: Option<Vec<u8>>,
}

impl From<Assembled> for Opened {
    fn from(assembled: Assembled) -> Self {
        Self {
            first: assembled.first,
            plaintext: assembled.chain,
            first_fragment: Some(assembled.first_fragment),
        }
    }
}

impl Opened {
    /// The type of the first payload.
    pub(crate) fn first(&self) -> PayloadType {
        self.first
    }

    /// The payloads as they came.
    pub(crate) fn chain(&self) -> &[u8] {
        &self.plaintext
    }

    pub(crate) fn payloads(&self) -> Result<Vec<Payload<'_>>, WireError> {
        decode_payloads(self.first, &self.plaintext)
    }

    /// The message as it is remembered: by its first fragment, if it has `arrived` in several, whichever came last.
    pub(crate) fn whole<'a>(&'a self, arrived: Arrived<'a>) -> Arrived<'a> {
        Arrived {
            octets: self.first_fragment.as_deref().unwrap_or(arrived.octets),
            ..arrived
        }
    }
}
