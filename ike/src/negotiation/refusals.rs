//! How a peer is told that it gets an error, or less than it asks for.

use super::redirect;
use crate::wire::NotifyType;
use crate::{AuthRefusal, ChildRefusal, InitRefusal, NoChild};

impl InitRefusal {
    /// The notification that answers, and its data.
    pub(crate) fn notification(&self) -> (NotifyType, Vec<u8>) {
        match self {
            // The highest version supported (RFC 7296 section 2.5).
            Self::MajorVersion(_) => (NotifyType::INVALID_MAJOR_VERSION, vec![2]),
            Self::CriticalPayload(kind) => (NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, vec![*kind]),
            Self::NoProposal(_) | Self::TooWeak(_) => (NotifyType::NO_PROPOSAL_CHOSEN, Vec::new()),
            Self::WrongGroup { wanted, .. } => {
                (NotifyType::INVALID_KE_PAYLOAD, wanted.id().to_be_bytes().to_vec())
            }
        }
    }
}

impl AuthRefusal {
    /// The notification that answers, and its data.
    pub(crate) fn notification(&self) -> (NotifyType, Vec<u8>) {
        match self {
            Self::Malformed(_) => (NotifyType::INVALID_SYNTAX, Vec::new()),
            Self::CriticalPayload(kind) => (NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, vec![*kind]),
            // A refusing fleet included: of RFC 7296's errors only these three tell the peer that there is no IKE SA
            // (RFC 7296 section 2.21.2).
            Self::UnknownIdentity(_)
            | Self::OtherTunnel(_)
            | Self::Eap
            | Self::Method(_)
            | Self::OtherMethod(_)
            | Self::Certificate(_)
            | Self::WrongKey(_)
            | Self::PpkRequired
            | Self::NoPpkIdentity
            | Self::UnknownPpk
            | Self::Fleet => (NotifyType::AUTHENTICATION_FAILED, Vec::new()),
            // The peer begins again with IKE_SA_INIT.
            Self::UnexpectedNat => (NotifyType::UNEXPECTED_NAT_DETECTED, Vec::new()),
        }
    }
}

impl NoChild {
    /// The notification that answers in place of SA, TSi and TSr, and its data.
    pub(crate) fn notification(&self) -> Option<(NotifyType, Vec<u8>)> {
        match self {
            Self::Refused(refusal) => Some(refusal.notification()),
            Self::NotWanted => None,
            Self::Redirected(to) => Some((NotifyType::REDIRECT, redirect::data(to))),
        }
    }
}

impl ChildRefusal {
    /// The notification that answers in place of SA, TSi and TSr.
    pub(crate) fn notification(&self) -> (NotifyType, Vec<u8>) {
        let kind = match self {
            Self::NoProposal(_) | Self::TooWeak(_) | Self::EsnOnly => NotifyType::NO_PROPOSAL_CHOSEN,
            Self::Selectors => NotifyType::TS_UNACCEPTABLE,
            Self::NoFreeSpi | Self::TooMany | Self::NoTunnel => NotifyType::NO_ADDITIONAL_SAS,
            Self::NotFound => NotifyType::CHILD_SA_NOT_FOUND,
            Self::Collision | Self::Fleet => NotifyType::TEMPORARY_FAILURE,
            Self::NothingToFollow => NotifyType::STATE_NOT_FOUND,
            Self::WrongGroup(group) => {
                return (NotifyType::INVALID_KE_PAYLOAD, group.id().to_be_bytes().to_vec());
            }
        };
        (kind, Vec::new())
    }
}
