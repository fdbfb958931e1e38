//! IKE_INTERMEDIATE, with an additional key exchange.

use super::{Initiator, Status, Violation, first_error};
use crate::Secret;
use crate::crypto::Kem;
use crate::handshake::ike_intermediate::{Part, int_auth, next_keys};
use crate::negotiation::additional_ke::{MESSAGE_ID, public_value};
use crate::testkit::session::Opened;
use crate::wire::{ExchangeType, Flags, Head, KeyExchange, Payload};
use crate::{IkeSpis, Transmit};

/// An exchange that is not answered yet.
pub(super) struct Asked {
    kem: Kem,
    private: Secret,
    request: Part,
}

impl Initiator {
    /// Asks for the additional key exchange that was agreed on, with whatever `change` makes of the payloads.
    pub(crate) fn intermediate_with(
        &mut self,
        kem: Kem,
        change: impl FnOnce(&mut Vec<Payload<'_>>),
    ) -> Option<Transmit> {
        let keys = kem.key_pair()?;
        let mut payloads = vec![Payload::KeyExchange(KeyExchange {
            group: kem.id(),
            public: &keys.public,
        })];
        change(&mut payloads);
        let session = self.session.as_mut()?;
        let request = Part::sent(&head(session.spis, true), &payloads);
        let octets = session.early_request(MESSAGE_ID, ExchangeType::IkeIntermediate, &payloads);
        self.init.asked = Some(Asked {
            kem,
            private: keys.private,
            request,
        });
        Some(self.request(octets))
    }

    pub(super) fn handle_intermediate(&mut self, opened: &Opened) -> Result<Option<Transmit>, Violation> {
        let payloads = opened
            .payloads()
            .map_err(|_| Violation("a response that does not decode"))?;
        if let Some(error) = first_error(&payloads) {
            self.status = Status::Refused(error.kind.0);
            return Ok(None);
        }
        let session = self.session.as_mut().ok_or(Violation("no session"))?;
        let asked = self.init.asked.take().ok_or(Violation("nobody asked"))?;
        let ciphertext = public_value(asked.kem, &payloads).map_err(|_| Violation("no KE"))?;
        let secret = asked.kem.decapsulate(&asked.private, ciphertext);
        let secret = secret.map_err(|_| Violation("a bad ciphertext"))?;
        let response = Part::new(&head(session.spis, false), opened.first(), opened.chain());
        let (suite, init) = (self.init.suite, &mut self.init);
        init.int_auth = int_auth(suite.prf, &session.keys, &asked.request, &response);
        session.keys = next_keys(&session.keys, suite, &secret, &init.ni, &init.nr, session.spis);
        Ok(self.auth_with(|_| {}))
    }
}

fn head(spis: IkeSpis, from_initiator: bool) -> Head {
    Head {
        spis,
        exchange: ExchangeType::IkeIntermediate,
        flags: Flags {
            initiator: from_initiator,
            response: !from_initiator,
        },
        message_id: MESSAGE_ID,
    }
}
