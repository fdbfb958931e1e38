//! What an INFORMATIONAL request says (RFC 7296 section 1.4).

use crate::Ending;
use crate::wire::{Delete, NotifyType, Payload, Protocol};

/// What follows from a request.
#[derive(Debug, Default)]
pub(crate) struct Informational {
    /// The IKE SA ends.
    pub(crate) ending: Option<Ending>,
    /// SPIs by which the peer received, in the order and as often as it names them.
    pub(crate) deleted: Vec<u32>,
    /// Notify message types that change nothing.
    pub(crate) notified: Vec<u16>,
}

impl Informational {
    /// Reads the payloads of a request, which may be the first after IKE_AUTH. A DELETE names the SPIs its sender receives
    /// on (RFC 7296 section 3.11).
    pub(crate) fn read(payloads: &[Payload<'_>], follows_auth: bool) -> Self {
        let mut result = Self::default();
        for payload in payloads {
            match payload {
                Payload::Delete(Delete::Ike) => result.ending = Some(Ending::PeerDeleted),
                Payload::Delete(Delete::Child {
                    protocol: Protocol::Esp,
                    spis,
                }) => result.deleted.extend(spis),
                Payload::Notify(notify) if follows_auth && is_fatal(notify.kind) => {
                    result.ending = Some(Ending::PeerRefused(notify.kind.0));
                }
                // RFC 6290 section 4.4.
                Payload::Notify(notify) if notify.kind == NotifyType::QUICK_CRASH_DETECTION => {}
                Payload::Notify(notify) if is_about_addresses(notify.kind) => {}
                Payload::Notify(notify) => result.notified.push(notify.kind.0),
                // A configuration request, for the version too, may go unanswered (RFC 7296 section 2.20).
                _ => {}
            }
        }
        result
    }
}

/// The errors by which a peer that dislikes our IKE_AUTH response ends the IKE SA in its next request (RFC 7296
/// section 2.21.2).
fn is_fatal(kind: NotifyType) -> bool {
    matches!(
        kind,
        NotifyType::AUTHENTICATION_FAILED
            | NotifyType::INVALID_SYNTAX
            | NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD
    )
}

/// What [`crate::negotiation::mobike::Addresses`] reads, or may pass over.
fn is_about_addresses(kind: NotifyType) -> bool {
    matches!(
        kind,
        NotifyType::NAT_DETECTION_SOURCE_IP
            | NotifyType::NAT_DETECTION_DESTINATION_IP
            | NotifyType::ADDITIONAL_IP4_ADDRESS
            | NotifyType::ADDITIONAL_IP6_ADDRESS
            | NotifyType::NO_ADDITIONAL_ADDRESSES
            | NotifyType::UPDATE_SA_ADDRESSES
            | NotifyType::COOKIE2
            | NotifyType::NO_NATS_ALLOWED
    )
}
