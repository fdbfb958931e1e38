//! The protected channel of an IKE SA: its message keys and the IVs of what we send.

use serde::{Deserialize, Serialize};

use crate::crypto::SkKey;
use crate::wire::{
    Encrypted, ExchangeType, Flags, Head, Message, Payload, PayloadType, WireError, decode_payloads,
};
use crate::{Dropped, IkeCipher, IkeSpis, Secret};

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

/// Opens what the peer sends and seals what we send. We are always the original responder.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Channel {
    pub(crate) spis: IkeSpis,
    cipher: IkeCipher,
    /// Octets only: a key ready for use is several times as large, and made in less than the time of an HMAC.
    sk_ei: Secret,
    sk_er: Secret,
    #[serde(skip)]
    pub(crate) ivs: Ivs,
}

/// Which of the messages of an exchange is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Response,
}

impl Channel {
    pub(crate) fn new(spis: IkeSpis, cipher: IkeCipher, sk_ei: Secret, sk_er: Secret, ivs: Ivs) -> Self {
        Self {
            spis,
            cipher,
            sk_ei,
            sk_er,
            ivs,
        }
    }

    /// What the SK payload of `message`, whose octets are `octets`, holds.
    pub(crate) fn open(&self, message: &Message<'_>, octets: &[u8]) -> Result<Opened, Dropped> {
        // IKE fragmentation (RFC 7383) is not announced, so no fragment should come.
        let Some(Encrypted::Whole { first, body }) = message.encrypted else {
            return Err(Dropped::NotAuthentic);
        };
        let key = SkKey::new(self.cipher, &self.sk_ei).ok_or(Dropped::NotAuthentic)?;
        let plaintext = key.open(octets, body.len()).map_err(|_| Dropped::NotAuthentic)?;
        Ok(Opened { first, plaintext })
    }

    pub(crate) fn seal(
        &mut self,
        kind: Kind,
        exchange: ExchangeType,
        message_id: u32,
        payloads: &[Payload<'_>],
    ) -> Result<Vec<u8>, Exhausted> {
        let flags = Flags {
            initiator: false,
            response: kind == Kind::Response,
        };
        let head = Head {
            spis: self.spis,
            exchange,
            flags,
            message_id,
        };
        // Keys of a wrong length, from a snapshot, open nothing: so there is nothing to seal either.
        let key = SkKey::new(self.cipher, &self.sk_er).ok_or(Exhausted)?;
        Ok(key.seal(&head, payloads, self.ivs.take()?))
    }
}

/// The authentic inside of an SK payload.
pub(crate) struct Opened {
    first: PayloadType,
    plaintext: Vec<u8>,
}

impl Opened {
    pub(crate) fn payloads(&self) -> Result<Vec<Payload<'_>>, WireError> {
        decode_payloads(self.first, &self.plaintext)
    }
}
