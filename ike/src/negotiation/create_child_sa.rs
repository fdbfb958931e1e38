//! What a CREATE_CHILD_SA message holds (RFC 7296 section 1.3).

use crate::wire::{KeyExchange, Notify, NotifyType, Payload, Proposal, Protocol, WireError};

/// A request or a response that is not an error. A configuration payload, which some peers add, is passed over.
pub(crate) struct CreateChild<'a> {
    pub(crate) proposals: &'a [Proposal<'a>],
    pub(crate) nonce: &'a [u8],
    pub(crate) ke: Option<KeyExchange<'a>>,
    /// REKEY_SA, with the SPI that the sender receives on with the child SA to be replaced.
    pub(crate) rekeyed: Option<Rekeyed<'a>>,
}

/// An SA as REKEY_SA names it.
#[derive(Clone, Copy)]
pub(crate) struct Rekeyed<'a>(Notify<'a>);

impl<'a> CreateChild<'a> {
    pub(crate) fn read(payloads: &'a [Payload<'a>]) -> Result<Self, WireError> {
        let (mut proposals, mut nonce, mut ke, mut rekeyed) = (None, None, None, None);
        for payload in payloads {
            match payload {
                Payload::Sa(offered) => proposals = Some(offered.as_slice()),
                Payload::Nonce(data) => nonce = Some(*data),
                Payload::KeyExchange(value) => ke = Some(*value),
                Payload::Notify(notify) if notify.kind == NotifyType::REKEY_SA => {
                    rekeyed = Some(Rekeyed(*notify));
                }
                _ => {}
            }
        }
        Ok(Self {
            proposals: proposals.ok_or(WireError::Syntax("no SA payload"))?,
            nonce: nonce.ok_or(WireError::Syntax("no nonce"))?,
            ke,
            rekeyed,
        })
    }

    /// "The SA payload" tells an IKE SA from a child SA (RFC 7296 sections 1.3.1 and 1.3.2).
    pub(crate) fn is_for_ike(&self) -> bool {
        self.proposals.iter().any(|it| it.protocol == Protocol::Ike)
    }
}

impl<'a> Rekeyed<'a> {
    /// The SPI of a child SA that could be ours: ESP's.
    pub(crate) fn esp_spi(self) -> Option<u32> {
        let spi = self.0.spi.try_into().map(u32::from_be_bytes).ok()?;
        (self.0.protocol == Protocol::Esp).then_some(spi)
    }

    /// "The SA that the initiator attempted to rekey is indicated by the SPI field in the Notify payload, which is copied
    /// from the SPI field in the REKEY_SA notification" (RFC 7296 section 2.25).
    pub(crate) fn not_found(self) -> Payload<'a> {
        Payload::Notify(Notify {
            kind: NotifyType::CHILD_SA_NOT_FOUND,
            data: &[],
            ..self.0
        })
    }
}
