//! The IKE header (RFC 7296 section 3.1).

use super::PayloadType;
use super::length::in_32_bits;
use crate::IkeSpis;

/// Octets of the header.
pub(crate) const HEADER_LEN: usize = 28;

/// Octets from the message's beginning to the length field.
const LENGTH_AT: usize = 24;

/// Major version 2, minor version 0.
const VERSION: u8 = 0x20;

/// What a received message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) spis: IkeSpis,
    pub(crate) next_payload: PayloadType,
    /// Major version in the high four bits, minor in the low four.
    pub(crate) version: u8,
    pub(crate) exchange: ExchangeType,
    pub(crate) flags: Flags,
    pub(crate) message_id: u32,
    /// Octets of the whole message, this header included.
    pub(crate) length: u32,
}

/// Exchange types (RFC 7296 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExchangeType {
    IkeSaInit,
    IkeAuth,
    CreateChildSa,
    Informational,
    /// RFC 9242.
    IkeIntermediate,
    /// RFC 9370 section 2.2.4.
    IkeFollowupKe,
    Other(u8),
}

/// The header's flags. The others are cleared when sent and ignored on receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    /// I: sent by the original initiator of the IKE SA.
    pub(crate) initiator: bool,
    /// R: answers the request with the same message ID.
    pub(crate) response: bool,
}

/// The header of a message to send: what does not follow from its payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) spis: IkeSpis,
    pub(crate) exchange: ExchangeType,
    pub(crate) flags: Flags,
    pub(crate) message_id: u32,
}

/// The exchange of a message of our own making.
pub(crate) fn exchange_of(message: &[u8]) -> Option<ExchangeType> {
    message.get(18).map(|exchange| ExchangeType::from(*exchange))
}

impl From<Header> for Head {
    fn from(header: Header) -> Self {
        Self {
            spis: header.spis,
            exchange: header.exchange,
            flags: header.flags,
            message_id: header.message_id,
        }
    }
}

impl Head {
    /// Of an answer outside of an IKE SA: SPIs, message ID and exchange type are copied from the request (RFC 7296 section
    /// 1.5).
    pub(crate) fn answering(request: &Header) -> Self {
        Self {
            flags: Flags {
                initiator: !request.flags.initiator,
                response: true,
            },
            ..Self::from(*request)
        }
    }

    /// Appends the header, with a length of zero until [`patch_length`] knows it.
    pub(crate) fn encode(&self, next_payload: PayloadType, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.spis.initiator.to_be_bytes());
        out.extend_from_slice(&self.spis.responder.to_be_bytes());
        out.extend_from_slice(&[next_payload.0, VERSION, self.exchange.into(), self.flags.into()]);
        out.extend_from_slice(&self.message_id.to_be_bytes());
        out.extend_from_slice(&0_u32.to_be_bytes());
    }
}

/// What the length field says of the message that `octets` begin with.
pub(super) fn length_of(octets: &[u8]) -> Option<usize> {
    let length = octets.get(LENGTH_AT..HEADER_LEN)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(length)).ok()
}

/// Sets the length field of a message that will be `length` octets long. No message is longer than a UDP datagram,
/// so the field always holds it.
pub(crate) fn patch_length(message: &mut [u8], length: usize) {
    if let Some(field) = message.get_mut(LENGTH_AT..HEADER_LEN) {
        field.copy_from_slice(&in_32_bits(length).to_be_bytes());
    }
}

impl From<u8> for ExchangeType {
    fn from(number: u8) -> Self {
        match number {
            34 => Self::IkeSaInit,
            35 => Self::IkeAuth,
            36 => Self::CreateChildSa,
            37 => Self::Informational,
            43 => Self::IkeIntermediate,
            44 => Self::IkeFollowupKe,
            other => Self::Other(other),
        }
    }
}

impl From<ExchangeType> for u8 {
    fn from(exchange: ExchangeType) -> Self {
        match exchange {
            ExchangeType::IkeSaInit => 34,
            ExchangeType::IkeAuth => 35,
            ExchangeType::CreateChildSa => 36,
            ExchangeType::Informational => 37,
            ExchangeType::IkeIntermediate => 43,
            ExchangeType::IkeFollowupKe => 44,
            ExchangeType::Other(other) => other,
        }
    }
}

/// Bit I of the flags.
const INITIATOR: u8 = 0x08;

/// Bit R of the flags.
const RESPONSE: u8 = 0x20;

impl From<u8> for Flags {
    fn from(bits: u8) -> Self {
        Self {
            initiator: bits & INITIATOR != 0,
            response: bits & RESPONSE != 0,
        }
    }
}

impl From<Flags> for u8 {
    fn from(flags: Flags) -> Self {
        (if flags.initiator { INITIATOR } else { 0 }) | (if flags.response { RESPONSE } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::WireError;
    use crate::wire::testing::{message, verdict};

    #[test]
    fn headers() {
        let good = message(0, "");
        assert_eq!(verdict(&good), Ok(()));
        let with = |at: usize, octet: u8| {
            let mut message = good.clone();
            message[at] = octet;
            message
        };
        let cases = [
            ("empty", vec![], "shorter than the header"),
            ("one octet short", good[..27].to_vec(), "shorter than the header"),
            (
                "one octet more than the length says",
                [&good[..], &[0]].concat(),
                "the length is not the datagram's",
            ),
            (
                "a length above the datagram's",
                with(27, 29),
                "the length is not the datagram's",
            ),
            (
                "a length of 4 GiB",
                with(24, 0xff),
                "the length is not the datagram's",
            ),
            (
                "an initiator's SPI of zero",
                with(7, 0),
                "the initiator's SPI is zero",
            ),
            ("version 1.0", with(17, 0x10), "major version below 2"),
        ];
        for (name, message, reason) in cases {
            assert_eq!(verdict(&message), Err(WireError::NotIke(reason)), "{name}");
        }
    }

    /// RFC 7296 section 2.5: a higher minor version is read as ours, a higher major version is answered.
    #[test]
    fn versions() {
        let mut message = message(0, "");
        message[17] = 0x2f;
        assert_eq!(verdict(&message), Ok(()));
        message[17] = 0x30;
        // Nothing else in such a message need make sense here.
        message[27] = 0;
        let Err(WireError::MajorVersion(header)) = Header::decode(&message) else {
            panic!("version 3 was accepted");
        };
        assert_eq!(
            (header.spis.initiator, header.exchange),
            (1, ExchangeType::IkeSaInit)
        );
    }
}
