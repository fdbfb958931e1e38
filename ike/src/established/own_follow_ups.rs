//! Our own IKE_FOLLOWUP_KE: an additional key exchange behind our CREATE_CHILD_SA (RFC 9370 section 2.2.4).

use super::granted_rekeys::More;
use super::own_rekeys::release_spi;
use super::{Established, Fate};
use crate::Secret;
use crate::additional::public_value;
use crate::channel::Exhausted;
use crate::context::Context;
use crate::exchange::{Exchange, Stage, Subject};
use crate::follow_up::{Following, Granted};
use crate::requests::Request;
use crate::wire::{KeyExchange, Notify, NotifyType, Payload, WireError};

impl Established {
    /// Goes on as the peer wants: "the initiator MUST send back the received notification in the request message of the next
    /// exchange".
    pub(super) fn ask_more(
        &mut self,
        subject: Subject,
        granted: Granted,
        more: More<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        // The system gives no randomness: perhaps later.
        let Some(keys) = more.kem.key_pair() else {
            release_spi(&subject, cx);
            self.postpone(subject.old(), cx);
            return Ok(Fate::Stays);
        };
        let payloads = [
            Payload::KeyExchange(KeyExchange {
                group: more.kem.id(),
                public: &keys.public,
            }),
            Payload::Notify(Notify::new(NotifyType::ADDITIONAL_KEY_EXCHANGE, more.link)),
        ];
        let sealed = self.seal_request(Request::FollowUp(subject.old()), &payloads)?;
        let following = Following {
            kem: more.kem,
            private: keys.private,
            granted,
        };
        self.ask_when_known(Exchange::new(subject, Stage::Following(following), sealed), cx);
        Ok(Fate::Stays)
    }
}

impl Following {
    /// The result of the additional key exchange, by the peer's response.
    pub(super) fn conclude(&self, payloads: &[Payload<'_>]) -> Result<Secret, WireError> {
        let ciphertext = public_value(self.kem, payloads)?;
        let secret = self.kem.decapsulate(&self.private, ciphertext);
        secret.map_err(|_| WireError::Syntax("bad ciphertext"))
    }
}
