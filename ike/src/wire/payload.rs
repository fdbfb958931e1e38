//! One payload of any type: which decoder and encoder a type number stands for (RFC 7296 section 3.2).

use super::*;
use crate::TrafficSelector;

/// The number of a payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PayloadType(pub(crate) u8);

impl PayloadType {
    /// No further payload.
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const SA: Self = Self(33);
    pub(crate) const KE: Self = Self(34);
    pub(crate) const IDI: Self = Self(35);
    pub(crate) const IDR: Self = Self(36);
    pub(crate) const CERT: Self = Self(37);
    pub(crate) const CERTREQ: Self = Self(38);
    pub(crate) const AUTH: Self = Self(39);
    pub(crate) const NONCE: Self = Self(40);
    pub(crate) const NOTIFY: Self = Self(41);
    pub(crate) const DELETE: Self = Self(42);
    pub(crate) const VENDOR_ID: Self = Self(43);
    pub(crate) const TSI: Self = Self(44);
    pub(crate) const TSR: Self = Self(45);
    pub(crate) const SK: Self = Self(46);
    pub(crate) const CP: Self = Self(47);
    pub(crate) const EAP: Self = Self(48);
    /// RFC 7383 section 2.5.
    pub(crate) const SKF: Self = Self(53);
}

/// A payload, borrowing from the message it was read from or is to be written to. SK and SKF are not among them:
/// they end a chain, and [`Encrypted`] holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload<'a> {
    Sa(Vec<Proposal<'a>>),
    KeyExchange(KeyExchange<'a>),
    IdI(IdPayload<'a>),
    IdR(IdPayload<'a>),
    Certificate(Certificate<'a>),
    CertificateRequest(Certificate<'a>),
    Auth(Auth<'a>),
    Nonce(&'a [u8]),
    Notify(Notify<'a>),
    Delete(Delete),
    VendorId(&'a [u8]),
    TsI(Vec<TrafficSelector>),
    TsR(Vec<TrafficSelector>),
    /// CP, as it stands.
    Configuration(&'a [u8]),
    /// EAP, as it stands.
    Eap(&'a [u8]),
    /// Of a type not known here and not critical: to be passed over (RFC 7296 section 2.5).
    Unknown {
        kind: PayloadType,
        body: &'a [u8],
    },
}

impl<'a> Payload<'a> {
    /// `body` is what follows the generic payload header. `critical` matters for types not known here only
    /// (RFC 7296 section 3.2).
    pub(super) fn decode(kind: PayloadType, critical: bool, body: &'a [u8]) -> Result<Self, WireError> {
        Ok(match kind {
            PayloadType::SA => Self::Sa(sa::decode(body)?),
            PayloadType::KE => Self::KeyExchange(KeyExchange::decode(body)?),
            PayloadType::IDI => Self::IdI(IdPayload::decode(body)?),
            PayloadType::IDR => Self::IdR(IdPayload::decode(body)?),
            PayloadType::CERT => Self::Certificate(Certificate::decode(body)?),
            PayloadType::CERTREQ => Self::CertificateRequest(Certificate::decode(body)?),
            PayloadType::AUTH => Self::Auth(Auth::decode(body)?),
            PayloadType::NONCE => Self::Nonce(ke::decode_nonce(body)?),
            PayloadType::NOTIFY => Self::Notify(Notify::decode(body)?),
            PayloadType::DELETE => Self::Delete(Delete::decode(body)?),
            PayloadType::VENDOR_ID => Self::VendorId(body),
            PayloadType::TSI => Self::TsI(ts::decode(body)?),
            PayloadType::TSR => Self::TsR(ts::decode(body)?),
            PayloadType::CP => Self::Configuration(body),
            PayloadType::EAP => Self::Eap(body),
            _ if critical => return Err(WireError::CriticalPayload(kind.0)),
            _ => Self::Unknown { kind, body },
        })
    }

    pub(crate) fn kind(&self) -> PayloadType {
        match self {
            Self::Sa(_) => PayloadType::SA,
            Self::KeyExchange(_) => PayloadType::KE,
            Self::IdI(_) => PayloadType::IDI,
            Self::IdR(_) => PayloadType::IDR,
            Self::Certificate(_) => PayloadType::CERT,
            Self::CertificateRequest(_) => PayloadType::CERTREQ,
            Self::Auth(_) => PayloadType::AUTH,
            Self::Nonce(_) => PayloadType::NONCE,
            Self::Notify(_) => PayloadType::NOTIFY,
            Self::Delete(_) => PayloadType::DELETE,
            Self::VendorId(_) => PayloadType::VENDOR_ID,
            Self::TsI(_) => PayloadType::TSI,
            Self::TsR(_) => PayloadType::TSR,
            Self::Configuration(_) => PayloadType::CP,
            Self::Eap(_) => PayloadType::EAP,
            Self::Unknown { kind, .. } => *kind,
        }
    }

    /// Appends the body, without generic payload header.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Sa(proposals) => sa::encode(proposals, out),
            Self::KeyExchange(ke) => ke.encode(out),
            Self::IdI(id) | Self::IdR(id) => out.extend_from_slice(id.body()),
            Self::Certificate(cert) | Self::CertificateRequest(cert) => cert.encode(out),
            Self::Auth(auth) => auth.encode(out),
            Self::Notify(notify) => notify.encode(out),
            Self::Delete(delete) => delete.encode(out),
            Self::TsI(selectors) | Self::TsR(selectors) => ts::encode(selectors, out),
            Self::Nonce(body)
            | Self::VendorId(body)
            | Self::Configuration(body)
            | Self::Eap(body)
            | Self::Unknown { body, .. } => out.extend_from_slice(body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{single, verdict};

    #[test]
    fn payload_bodies() {
        let nonce = |octets: usize| single(40, &"55".repeat(octets));
        let id_len = "an address in an ID has the wrong length";
        let delete_len = "a deletion has SPIs of the wrong length for its protocol";
        let delete_count = "a deletion does not have the SPIs it counts";
        let cases = [
            (
                "KE without room for its group",
                single(34, "001f00"),
                "KE is shorter than its fixed part",
            ),
            (
                "an ID of three octets",
                single(35, "020000"),
                "an ID is shorter than its fixed part",
            ),
            (
                "an IPv4 ID of three octets",
                single(35, "01000000 c00002"),
                id_len,
            ),
            (
                "an IPv6 ID of four octets",
                single(36, "05000000 c0000201"),
                id_len,
            ),
            ("an empty CERT", single(37, ""), "CERT or CERTREQ is empty"),
            ("an empty CERTREQ", single(38, ""), "CERT or CERTREQ is empty"),
            (
                "AUTH without room for its method",
                single(39, "0200"),
                "AUTH is shorter than its fixed part",
            ),
            ("a nonce of 15 octets", nonce(15), "a nonce has 16 to 256 octets"),
            (
                "a nonce of 257 octets",
                nonce(257),
                "a nonce has 16 to 256 octets",
            ),
            (
                "half a notification",
                single(41, "0000"),
                "a notification is shorter than its fixed part",
            ),
            (
                "a notification's SPI beyond its end",
                single(41, "03044000 c0ffee"),
                "a notification's SPI is longer than the notification",
            ),
            (
                "half a deletion",
                single(42, "0304"),
                "a deletion is shorter than its fixed part",
            ),
            (
                "deletion of ESP by an 8-octet SPI",
                single(42, "03080001 0000000000000001"),
                delete_len,
            ),
            (
                "deletion of ESP without SPI length",
                single(42, "03000000"),
                delete_len,
            ),
            (
                "deletion of IKE by SPI",
                single(42, "01080001 0000000000000001"),
                delete_len,
            ),
            (
                "deletion for a protocol nobody knows",
                single(42, "09040001 00000001"),
                delete_len,
            ),
            (
                "a deletion that counts two and has one",
                single(42, "03040002 00000001"),
                delete_count,
            ),
            (
                "a deletion that counts one and has two",
                single(42, "03040001 0000000100000002"),
                delete_count,
            ),
            (
                "a deletion with half an SPI",
                single(42, "03040001 0000"),
                delete_count,
            ),
        ];
        for (name, message, reason) in cases {
            assert_eq!(verdict(&message), Err(WireError::Syntax(reason)), "{name}");
        }
        assert_eq!(verdict(&nonce(16)), Ok(()));
        assert_eq!(verdict(&nonce(256)), Ok(()));
    }
}
