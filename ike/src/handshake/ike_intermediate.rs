//! IKE_INTERMEDIATE (RFC 9242) for an additional key exchange (RFC 9370 section 2.2.2).

use crate::crypto::{Fresh, IkeKeys, Kem, PrfKey};
use crate::handshake::ike_sa_init::Initiated;
use crate::message::channel::{Channel, Exhausted, MessageKind, Opened};
use crate::message::fragments::Assembly;
use crate::message::inbound::Arrived;
use crate::message::window::Answered;
use crate::negotiation::additional_ke::{Additional, Done, MESSAGE_ID, encapsulate};
use crate::wire::{self, HEADER_LEN, Head, KeyExchange, Payload, PayloadType, WireError};
use crate::{IkeSpis, IkeSuite, Prf, Secret};

/// Octets of a generic payload header.
const PAYLOAD_HEADER_LEN: usize = 4;

/// Why IKE_INTERMEDIATE failed.
pub(crate) enum IntermediateError {
    Wire(WireError),
    Exhausted,
}

impl From<WireError> for IntermediateError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl From<Exhausted> for IntermediateError {
    fn from(Exhausted: Exhausted) -> Self {
        Self::Exhausted
    }
}

impl Initiated {
    /// Does the additional key exchange that is awaited, by the authentic request that has `arrived`. The reply is
    /// sealed by `channel`, that is with the keys of before.
    pub(crate) fn exchange_more(
        &mut self,
        kem: Kem,
        arrived: Arrived<'_>,
        opened: &Opened,
        channel: &mut Channel,
    ) -> Result<Answered, IntermediateError> {
        let payloads = opened.payloads()?;
        let ours = encapsulate(kem, &payloads)?;
        let reply = [Payload::KeyExchange(KeyExchange {
            group: kem.id(),
            public: &ours.ciphertext,
        })];
        let header = arrived.message.header;
        let head = channel.head(MessageKind::Response, header.exchange, header.message_id);
        let sealed = channel.seal(MessageKind::Response, header.exchange, header.message_id, &reply)?;

        let request = Part::received(&Head::from(header), opened);
        let int_auth = int_auth(self.suite.prf, &self.keys, &request, &Part::sent(&head, &reply));
        let answered = Answered::new(opened.whole(arrived).octets, sealed);
        self.keys = next_keys(
            &self.keys,
            self.suite,
            &ours.secret,
            &self.ni,
            &self.nr,
            self.spis,
        );
        self.assembly = Assembly::default();
        self.additional = Additional::Done(Done {
            answered: answered.clone(),
            int_auth,
        });
        Ok(answered)
    }
}

/// SKEYSEED(1) = prf(SK_d(0), SK(1) | Ni | Nr), and the keys from it (RFC 9370 section 2.2.2): the formula of a rekey,
/// under the same SPIs.
pub(crate) fn next_keys(
    keys: &IkeKeys,
    suite: IkeSuite,
    secret: &Secret,
    ni: &[u8],
    nr: &[u8],
    spis: IkeSpis,
) -> IkeKeys {
    let fresh = Fresh {
        shared: Some(secret),
        ni,
        nr,
        additional: None,
    };
    IkeKeys::rekey((suite.prf, &keys.sk_d), suite, &fresh, spis)
}

/// One message of the exchange as IntAuth sees it: before encryption, whole, with the lengths it would have without IV,
/// padding and check (RFC 9242 section 3.3.2).
pub(crate) struct Part {
    octets: Vec<u8>,
}

impl Part {
    pub(crate) fn received(head: &Head, opened: &Opened) -> Self {
        Self::new(head, opened.first(), opened.chain())
    }

    pub(crate) fn sent(head: &Head, payloads: &[Payload<'_>]) -> Self {
        let mut chain = Vec::new();
        wire::encode_payloads(payloads, &mut chain);
        Self::new(head, wire::first_of(payloads), &chain)
    }

    pub(crate) fn new(head: &Head, first: PayloadType, chain: &[u8]) -> Self {
        let sk_len = PAYLOAD_HEADER_LEN + chain.len();
        let mut octets = Vec::with_capacity(HEADER_LEN + sk_len);
        head.encode(PayloadType::SK, &mut octets);
        octets.extend_from_slice(&[first.0, 0]);
        octets.extend_from_slice(&(sk_len as u16).to_be_bytes());
        octets.extend_from_slice(chain);
        wire::patch_length(&mut octets, HEADER_LEN + sk_len);
        Self { octets }
    }
}

/// IntAuth_i1 | IntAuth_r1 | IKE_AUTH_MID, with the keys that protect the exchange (RFC 9242 section 3.3.2).
pub(crate) fn int_auth(prf: Prf, keys: &IkeKeys, request: &Part, response: &Part) -> Vec<u8> {
    let mac = |sk_p: &Secret, part: &Part| PrfKey::new(prf, sk_p.expose()).compute(&[&part.octets]);
    let (of_i, of_r) = (mac(&keys.sk_pi, request), mac(&keys.sk_pr, response));
    [of_i.as_ref(), of_r.as_ref(), &(MESSAGE_ID + 1).to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::unhex;
    use crate::wire::{ExchangeType, Flags};

    /// Octet by octet after the figure in RFC 9242 section 3.3.2.
    #[test]
    fn lengths_are_those_without_encryption() {
        let head = Head {
            spis: IkeSpis {
                initiator: 0x0102030405060708,
                responder: 0x1112131415161718,
            },
            exchange: ExchangeType::IkeIntermediate,
            flags: Flags {
                initiator: true,
                response: false,
            },
            message_id: 1,
        };
        let ke = Payload::KeyExchange(KeyExchange {
            group: 36,
            public: &[9; 3],
        });
        assert_eq!(
            Part::sent(&head, &[ke]).octets,
            unhex(
                "0102030405060708 1112131415161718 2e202b08 00000001 0000002b
                 2200000f 0000000b 00240000 090909"
            )
        );
    }
}
