//! Our own IKE_FOLLOWUP_KE: an additional key exchange behind our CREATE_CHILD_SA (RFC 9370 section 2.2.4).

use super::followup::{Following, Granted};
use super::initiate::release_spi;
use super::pending::{AwaitedResponse, Exchange, Subject};
use super::response::More;
use crate::Secret;
use crate::ike_sa::context::Context;
use crate::ike_sa::liveness::request_queue::Request;
use crate::ike_sa::{Established, Fate};
use crate::message::channel::Exhausted;
use crate::negotiation::additional_ke::public_value;
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
        // The random number generator fails: perhaps later.
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
        self.ask_when_known(
            Exchange::new(subject, AwaitedResponse::Following(following), sealed),
            cx,
        );
        Ok(Fate::Stays)
    }
}

impl Following {
    /// The result of the additional key exchange, by the peer's response.
    pub(in crate::ike_sa) fn conclude(&self, payloads: &[Payload<'_>]) -> Result<Secret, WireError> {
        let ciphertext = public_value(self.kem, payloads)?;
        let secret = self.kem.decapsulate(&self.private, ciphertext);
        secret.map_err(|_| WireError::Syntax("bad ciphertext"))
    }
}
