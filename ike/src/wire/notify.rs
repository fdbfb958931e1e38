//! Notify (RFC 7296 section 3.10).

use std::fmt;

use super::length::in_8_bits;
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
        out.extend_from_slice(&[self.protocol.into(), in_8_bits(self.spi.len())]);
        out.extend_from_slice(&self.kind.0.to_be_bytes());
        out.extend_from_slice(self.spi);
        out.extend_from_slice(self.data);
    }
}

/// The notifications among `payloads`.
pub(crate) fn notifications<'p, 'a>(payloads: &'p [Payload<'a>]) -> impl Iterator<Item = &'p Notify<'a>> {
    payloads.iter().filter_map(|payload| {
        let Payload::Notify(notify) = payload else {
            return None;
        };
        Some(notify)
    })
}

/// Notify message types (RFC 7296 section 3.10.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotifyType(pub(crate) u16);

/// Those that are sent or acted upon here, and their names.
macro_rules! notify_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        impl NotifyType {
            $($(#[$doc])* pub(crate) const $name: Self = Self($number);)*

            /// As the RFC calls it.
            fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => name_of_others(self.0),
                }
            }
        }
    };
}

notify_types! {
    UNSUPPORTED_CRITICAL_PAYLOAD = 1,
    INVALID_IKE_SPI = 4,
    INVALID_MAJOR_VERSION = 5,
    INVALID_SYNTAX = 7,
    NO_PROPOSAL_CHOSEN = 14,
    INVALID_KE_PAYLOAD = 17,
    AUTHENTICATION_FAILED = 24,
    NO_ADDITIONAL_SAS = 35,
    TS_UNACCEPTABLE = 38,
    /// RFC 4555 section 4.1.2.
    UNEXPECTED_NAT_DETECTED = 41,
    TEMPORARY_FAILURE = 43,
    CHILD_SA_NOT_FOUND = 44,
    /// RFC 9370 section 4.
    STATE_NOT_FOUND = 47,
    INITIAL_CONTACT = 16384,
    NAT_DETECTION_SOURCE_IP = 16388,
    NAT_DETECTION_DESTINATION_IP = 16389,
    COOKIE = 16390,
    REKEY_SA = 16393,
    /// This and the next ones: RFC 4555 section 4.2.
    MOBIKE_SUPPORTED = 16396,
    ADDITIONAL_IP4_ADDRESS = 16397,
    ADDITIONAL_IP6_ADDRESS = 16398,
    NO_ADDITIONAL_ADDRESSES = 16399,
    UPDATE_SA_ADDRESSES = 16400,
    COOKIE2 = 16401,
    NO_NATS_ALLOWED = 16402,
    /// This and the next ones: RFC 5685 section 9.
    REDIRECT_SUPPORTED = 16406,
    REDIRECT = 16407,
    REDIRECTED_FROM = 16408,
    /// RFC 6023 section 4.
    CHILDLESS_IKEV2_SUPPORTED = 16418,
    /// RFC 6290 section 4.1.
    QUICK_CRASH_DETECTION = 16419,
    /// RFC 7383 section 2.3.
    FRAGMENTATION_SUPPORTED = 16430,
    /// RFC 7427 section 4.
    SIGNATURE_HASH_ALGORITHMS = 16431,
    /// This and the next two: RFC 8784 section 7.
    USE_PPK = 16435,
    PPK_IDENTITY = 16436,
    NO_PPK_AUTH = 16437,
    /// RFC 9242 section 3.1.
    INTERMEDIATE_EXCHANGE_SUPPORTED = 16438,
    /// RFC 9370 section 2.2.4.
    ADDITIONAL_KEY_EXCHANGE = 16441,
}

/// Those of RFC 7296 section 3.10.1 and RFC 4555 section 4 that mean nothing here.
fn name_of_others(number: u16) -> Option<&'static str> {
    Some(match number {
        9 => "INVALID_MESSAGE_ID",
        11 => "INVALID_SPI",
        34 => "SINGLE_PAIR_REQUIRED",
        36 => "INTERNAL_ADDRESS_FAILURE",
        37 => "FAILED_CP_REQUIRED",
        39 => "INVALID_SELECTORS",
        40 => "UNACCEPTABLE_ADDRESSES",
        16385 => "SET_WINDOW_SIZE",
        16386 => "ADDITIONAL_TS_POSSIBLE",
        16387 => "IPCOMP_SUPPORTED",
        16391 => "USE_TRANSPORT_MODE",
        16392 => "HTTP_CERT_LOOKUP_SUPPORTED",
        16394 => "ESP_TFC_PADDING_NOT_SUPPORTED",
        16395 => "NON_FIRST_FRAGMENTS_ALSO",
        _ => return None,
    })
}

/// Name and number: `NO_PROPOSAL_CHOSEN (14)`.
impl fmt::Display for NotifyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name().unwrap_or("an unknown notification");
        write!(f, "{name} ({})", self.0)
    }
}

impl NotifyType {
    /// True when one of the payloads is a notification of this type.
    pub(crate) fn is_in(self, payloads: &[Payload<'_>]) -> bool {
        self.data_in(payloads).is_some()
    }

    /// The data of the first notification of this type.
    pub(crate) fn data_in<'a>(self, payloads: &[Payload<'a>]) -> Option<&'a [u8]> {
        self.all_data_in(payloads).next()
    }

    /// The data of all notifications of this type.
    pub(crate) fn all_data_in<'p, 'a>(
        self,
        payloads: &'p [Payload<'a>],
    ) -> impl Iterator<Item = &'a [u8]> + use<'p, 'a> {
        notifications(payloads)
            .filter(move |notify| notify.kind == self)
            .map(|notify| notify.data)
    }

    /// Below 16384 (RFC 7296 section 3.10.1).
    pub(crate) fn is_error(self) -> bool {
        self.0 < 16384
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_told_by_its_name() {
        assert_eq!(
            NotifyType::NO_PROPOSAL_CHOSEN.to_string(),
            "NO_PROPOSAL_CHOSEN (14)"
        );
        assert_eq!(NotifyType(36).to_string(), "INTERNAL_ADDRESS_FAILURE (36)");
        assert_eq!(NotifyType(8191).to_string(), "an unknown notification (8191)");
    }
}
