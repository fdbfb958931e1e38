//! Notify (RFC 7296 section 3.10).

use super::{Payload, Protocol, WireError};

/// A notification: an error, or a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Notify<'a> {
    pub(crate) protocol: Protocol,
    /// The SA the notification is about; mostly empty.
    pub(crate) spi: &'a [u8],
    pub(crate) kind: NotifyType,
    pub(crate) data: &'a [u8],
}

impl<'a> Notify<'a> {
    /// One that is about no SA.
    pub(crate) fn new(kind: NotifyType, data: &'a [u8]) -> Self {
        Self {
            protocol: Protocol::None,
            spi: &[],
            kind,
            data,
        }
    }

    /// One about the IKE SA, where an RFC asks for its protocol ID.
    pub(crate) fn about_ike(kind: NotifyType, data: &'a [u8]) -> Self {
        Self {
            protocol: Protocol::Ike,
            ..Self::new(kind, data)
        }
    }

    /// One about the child SA that its sender receives on with `spi`.
    pub(crate) fn about_child(kind: NotifyType, spi: &'a [u8; 4]) -> Self {
        Self {
            protocol: Protocol::Esp,
            spi,
            kind,
            data: &[],
        }
    }

    pub(super) fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let ([protocol, spi_len, k0, k1], rest) = body
            .split_first_chunk()
            .ok_or(WireError::Syntax("a notification is shorter than its fixed part"))?;
        let (spi, data) = rest
            .split_at_checked(usize::from(*spi_len))
            .ok_or(WireError::Syntax(
                "a notification's SPI is longer than the notification",
            ))?;
        let kind = NotifyType(u16::from_be_bytes([*k0, *k1]));
        Ok(Self {
            protocol: Protocol::from(*protocol),
            spi,
            kind,
            data,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        // Our SPIs have 0, 4 or 8 octets.
        out.extend_from_slice(&[self.protocol.into(), self.spi.len() as u8]);
        out.extend_from_slice(&self.kind.0.to_be_bytes());
        out.extend_from_slice(self.spi);
        out.extend_from_slice(self.data);
    }
}

/// Notify message types (RFC 7296 section 3.10.1): those that are sent or acted upon here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotifyType(pub(crate) u16);

impl NotifyType {
    pub(crate) const UNSUPPORTED_CRITICAL_PAYLOAD: Self = Self(1);
    pub(crate) const INVALID_IKE_SPI: Self = Self(4);
    pub(crate) const INVALID_MAJOR_VERSION: Self = Self(5);
    pub(crate) const INVALID_SYNTAX: Self = Self(7);
    pub(crate) const NO_PROPOSAL_CHOSEN: Self = Self(14);
    pub(crate) const INVALID_KE_PAYLOAD: Self = Self(17);
    pub(crate) const AUTHENTICATION_FAILED: Self = Self(24);
    pub(crate) const NO_ADDITIONAL_SAS: Self = Self(35);
    pub(crate) const TS_UNACCEPTABLE: Self = Self(38);
    /// RFC 4555 section 4.1.2.
    pub(crate) const UNEXPECTED_NAT_DETECTED: Self = Self(41);
    pub(crate) const TEMPORARY_FAILURE: Self = Self(43);
    pub(crate) const CHILD_SA_NOT_FOUND: Self = Self(44);
    /// RFC 9370 section 4.
    pub(crate) const STATE_NOT_FOUND: Self = Self(47);
    pub(crate) const INITIAL_CONTACT: Self = Self(16384);
    pub(crate) const NAT_DETECTION_SOURCE_IP: Self = Self(16388);
    pub(crate) const NAT_DETECTION_DESTINATION_IP: Self = Self(16389);
    pub(crate) const COOKIE: Self = Self(16390);
    pub(crate) const REKEY_SA: Self = Self(16393);
    /// This and the next ones: RFC 4555 section 4.2.
    pub(crate) const MOBIKE_SUPPORTED: Self = Self(16396);
    pub(crate) const ADDITIONAL_IP4_ADDRESS: Self = Self(16397);
    pub(crate) const ADDITIONAL_IP6_ADDRESS: Self = Self(16398);
    pub(crate) const NO_ADDITIONAL_ADDRESSES: Self = Self(16399);
    pub(crate) const UPDATE_SA_ADDRESSES: Self = Self(16400);
    pub(crate) const COOKIE2: Self = Self(16401);
    pub(crate) const NO_NATS_ALLOWED: Self = Self(16402);
    /// This and the next ones: RFC 5685 section 9.
    pub(crate) const REDIRECT_SUPPORTED: Self = Self(16406);
    pub(crate) const REDIRECT: Self = Self(16407);
    pub(crate) const REDIRECTED_FROM: Self = Self(16408);
    /// RFC 6023 section 4.
    pub(crate) const CHILDLESS_IKEV2_SUPPORTED: Self = Self(16418);
    /// RFC 6290 section 4.1.
    pub(crate) const QUICK_CRASH_DETECTION: Self = Self(16419);
    /// RFC 7383 section 2.3.
    pub(crate) const FRAGMENTATION_SUPPORTED: Self = Self(16430);
    /// RFC 7427 section 4.
    pub(crate) const SIGNATURE_HASH_ALGORITHMS: Self = Self(16431);
    /// This and the next two: RFC 8784 section 7.
    pub(crate) const USE_PPK: Self = Self(16435);
    pub(crate) const PPK_IDENTITY: Self = Self(16436);
    pub(crate) const NO_PPK_AUTH: Self = Self(16437);
    /// RFC 9242 section 3.1.
    pub(crate) const INTERMEDIATE_EXCHANGE_SUPPORTED: Self = Self(16438);

    /// RFC 9370 section 2.2.4.
    pub(crate) const ADDITIONAL_KEY_EXCHANGE: Self = Self(16441);

    /// True when one of the payloads is a notification of this type.
    pub(crate) fn is_in(self, payloads: &[Payload<'_>]) -> bool {
        payloads
            .iter()
            .any(|payload| matches!(payload, Payload::Notify(notify) if notify.kind == self))
    }

    /// The data of the first notification of this type.
    pub(crate) fn data_in<'a>(self, payloads: &[Payload<'a>]) -> Option<&'a [u8]> {
        payloads.iter().find_map(|payload| match payload {
            Payload::Notify(notify) if notify.kind == self => Some(notify.data),
            _ => None,
        })
    }

    /// Below 16384 (RFC 7296 section 3.10.1).
    pub(crate) fn is_error(self) -> bool {
        self.0 < 16384
    }
}
