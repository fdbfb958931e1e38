//! Whole messages, and how their headers are read.

use super::chain::{self, Encrypted};
use super::{ExchangeType, Flags, HEADER_LEN, Head, Header, Payload, PayloadType, WireError, header};
use crate::IkeSpis;

impl Header {
    /// Reads the header of a whole message (without non-ESP marker) and checks what holds for every message.
    pub(crate) fn decode(message: &[u8]) -> Result<Self, WireError> {
        const SHORT: WireError = WireError::NotIke("shorter than the header");
        let (initiator, rest) = message.split_first_chunk().ok_or(SHORT)?;
        let (responder, rest) = rest.split_first_chunk().ok_or(SHORT)?;
        let ([next_payload, version, exchange, flags], rest) = rest.split_first_chunk().ok_or(SHORT)?;
        let (message_id, rest) = rest.split_first_chunk().ok_or(SHORT)?;
        let (length, _) = rest.split_first_chunk().ok_or(SHORT)?;
        let header = Self {
            spis: IkeSpis {
                initiator: u64::from_be_bytes(*initiator),
                responder: u64::from_be_bytes(*responder),
            },
            next_payload: PayloadType(*next_payload),
            version: *version,
            exchange: ExchangeType::from(*exchange),
            flags: Flags::from(*flags),
            message_id: u32::from_be_bytes(*message_id),
            length: u32::from_be_bytes(*length),
        };
        header.check(message.len())?;
        Ok(header)
    }

    fn check(&self, message_len: usize) -> Result<(), WireError> {
        // The version comes first: it decides what the other fields mean.
        match self.version >> 4 {
            0 | 1 => return Err(WireError::NotIke("major version below 2")),
            2 => {}
            _ => return Err(WireError::MajorVersion(*self)),
        }
        if self.spis.initiator == 0 {
            return Err(WireError::NotIke("the initiator's SPI is zero"));
        }
        if usize::try_from(self.length) != Ok(message_len) {
            return Err(WireError::NotIke("the length is not the datagram's"));
        }
        Ok(())
    }
}

/// A decoded datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) header: Header,
    /// Those outside SK. Only SK's integrity check, or AUTH for IKE_SA_INIT, tells whether they are authentic.
    pub(crate) payloads: Vec<Payload<'a>>,
    /// The last payload, where it is SK or SKF.
    pub(crate) encrypted: Option<Encrypted<'a>>,
}

impl<'a> Message<'a> {
    /// Decodes a whole message (without non-ESP marker). The responder looks at the header first.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn decode(message: &'a [u8]) -> Result<Self, WireError> {
        Self::decode_body(Header::decode(message)?, message)
    }

    /// Decodes what follows the header, which [`Header::decode`] read from the same `message`.
    pub(crate) fn decode_body(header: Header, message: &'a [u8]) -> Result<Self, WireError> {
        let (payloads, encrypted) =
            chain::decode(header.next_payload, message.get(HEADER_LEN..).unwrap_or_default())?;
        Ok(Self {
            header,
            payloads,
            encrypted,
        })
    }
}

/// The messages in `octets`, one behind the other and each as long as its header says: one, or the fragments of one.
pub(crate) fn split(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        // What is no message, in a snapshot of somebody else's making, passes for one.
        let length = header::length_of(rest).filter(|length| (HEADER_LEN..=rest.len()).contains(length));
        let (message, behind) = rest.split_at(length.unwrap_or(rest.len()));
        rest = behind;
        (!message.is_empty()).then_some(message)
    })
}

/// A cleartext message. One that is protected comes from `message::sk::SkKey::seal`.
pub(crate) fn encode(head: &Head, payloads: &[Payload<'_>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    head.encode(chain::first_of(payloads), &mut out);
    chain::encode_payloads(payloads, &mut out);
    let length = out.len();
    header::patch_length(&mut out, length);
    out
}

#[cfg(test)]
mod tests {
    use super::encode;
    use crate::IkeSpis;
    use crate::crypto::unhex;
    use crate::wire::*;

    /// Octet by octet after the figures of RFC 7296 section 3, without asking the encoder.
    #[test]
    fn an_ike_sa_init_response_octet_by_octet() {
        let octets = unhex(
            &[
                "0102030405060708 1112131415161718", // the SPIs
                "21 20 22 20 00000000 00000088",     // SA next, 2.0, IKE_SA_INIT, R, message 0, 136 octets
                "22 00 0028",                        // SA, before KE
                "00 00 0024 01 01 00 03",            // the last proposal, number 1, IKE, no SPI, 3 transforms
                "03 00 000c 01 00 0014 800e 0100",   // AES-GCM-16 with 256 bits
                "03 00 0008 02 00 0006",             // PRF_HMAC_SHA2_384
                "00 00 0008 04 00 001f",             // Curve25519
                "28 00 0028 001f 0000",              // KE, before Nonce
                &"09".repeat(32),
                "29 00 0014", // Nonce, before Notify
                &"07".repeat(16),
                "00 00 0008 01 00 4022", // about the IKE SA, no SPI: CHILDLESS_IKEV2_SUPPORTED
            ]
            .concat(),
        );
        let head = Head {
            spis: IkeSpis {
                initiator: 0x0102030405060708,
                responder: 0x1112131415161718,
            },
            exchange: ExchangeType::IkeSaInit,
            flags: Flags {
                initiator: false,
                response: true,
            },
            message_id: 0,
        };
        let proposal = Proposal {
            number: 1,
            protocol: Protocol::Ike,
            spi: &[],
            transforms: vec![
                Transform {
                    key_bits: Some(256),
                    ..Transform::new(TransformType::Encryption, 20)
                },
                Transform::new(TransformType::Prf, 6),
                Transform::new(TransformType::KeyExchange, 31),
            ],
        };
        let payloads = [
            Payload::Sa(vec![proposal]),
            Payload::KeyExchange(KeyExchange {
                group: 31,
                public: &[9; 32],
            }),
            Payload::Nonce(&[7; 16]),
            Payload::Notify(Notify {
                protocol: Protocol::Ike,
                ..Notify::new(NotifyType(16418), &[])
            }),
        ];
        assert_eq!(encode(&head, &payloads), octets);
        assert_eq!(Message::decode(&octets).unwrap().payloads, payloads);
    }
}
