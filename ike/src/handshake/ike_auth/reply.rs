//! What an IKE_AUTH request is answered with.

use std::sync::Arc;

use crate::certificate::Certificates;
use crate::fleet::qcd::{self, Token};
use crate::message::channel::{Channel, Exhausted, MessageKind};
use crate::negotiation::child_sa::AgreedChild;
use crate::wire::{Auth, Certificate, ExchangeType, IdPayload, Notify, NotifyType, Payload};
use crate::{AuthRefusal, NoChild};

/// How we prove who we are.
pub(super) struct Proof {
    pub(super) id: IdPayload<'static>,
    /// Whose chain goes along.
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) method: u8,
    pub(super) data: Vec<u8>,
}

impl Proof {
    pub(super) fn new(id: IdPayload<'static>, method: u8, data: Vec<u8>) -> Self {
        Self {
            id,
            certificates: None,
            method,
            data,
        }
    }
}

/// What IKE_AUTH is answered with.
pub(super) struct Reply<'a> {
    pub(super) proof: &'a Proof,
    pub(super) token: Option<&'a Token>,
    /// A configuration payload.
    pub(super) configuration: Option<Vec<u8>>,
    /// The child SA and its inbound SPI.
    pub(super) agreed: &'a Result<(AgreedChild<'a>, u32), NoChild>,
    /// Notifications without data.
    pub(super) statuses: Vec<NotifyType>,
}

impl Reply<'_> {
    /// IDr, CERT, AUTH, our token and CP, in this order (RFC 6290 section 4.2); the child SA or what there is to say about its
    /// absence; and the notifications.
    pub(super) fn seal(&self, channel: &mut Channel, message_id: u32) -> Result<Vec<u8>, Exhausted> {
        let proof = self.proof;
        let mut payloads = vec![Payload::IdR(proof.id.clone())];
        let chain = proof
            .certificates
            .iter()
            .flat_map(|certificates| certificates.chain());
        payloads.extend(chain.map(|data| {
            Payload::Certificate(Certificate {
                encoding: Certificate::X509,
                data,
            })
        }));
        payloads.push(Payload::Auth(Auth {
            method: proof.method,
            data: &proof.data,
        }));
        payloads.extend(self.token.map(qcd::notification));
        payloads.extend(self.configuration.as_deref().map(Payload::Configuration));
        let spi = self.agreed.as_ref().map_or([0; 4], |(_, spi)| spi.to_be_bytes());
        let excuse = self.agreed.as_ref().err().and_then(NoChild::notification);
        if let Ok((agreed, _)) = self.agreed {
            payloads.extend(agreed.payloads(&spi));
        }
        if let Some((kind, data)) = &excuse {
            payloads.push(Payload::Notify(Notify::new(*kind, data)));
        }
        let statuses = self.statuses.iter();
        payloads.extend(statuses.map(|kind| Payload::Notify(Notify::new(*kind, &[]))));
        channel.seal(
            MessageKind::Response,
            ExchangeType::IkeAuth,
            message_id,
            &payloads,
        )
    }
}

/// The error that ends IKE_AUTH, or IKE_INTERMEDIATE (RFC 9242 section 3.4), without an IKE SA.
pub(crate) fn seal_refusal(
    channel: &mut Channel,
    (exchange, message_id): (ExchangeType, u32),
    refusal: &AuthRefusal,
) -> Result<Vec<u8>, Exhausted> {
    let (kind, data) = refusal.notification();
    let payload = Payload::Notify(Notify::new(kind, &data));
    channel.seal(MessageKind::Response, exchange, message_id, &[payload])
}
