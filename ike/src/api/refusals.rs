//! Why a peer gets an error, or less than it asks for, and how it is told.

use thiserror::Error;

use crate::wire::WireError;
use crate::{CertificateFault, DhGroup, Gateway, Identity, Mismatch, Weak};

/// Why IKE_SA_INIT was answered with an error.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InitRefusal {
    /// INVALID_MAJOR_VERSION (RFC 7296 section 2.5).
    #[error("major version {0}")]
    MajorVersion(u8),
    /// UNSUPPORTED_CRITICAL_PAYLOAD (RFC 7296 section 2.5).
    #[error("payload type {0} is critical and not supported")]
    CriticalPayload(u8),
    /// NO_PROPOSAL_CHOSEN (RFC 7296 section 2.7).
    #[error("no acceptable proposal{0}")]
    NoProposal(Mismatch),
    /// NO_PROPOSAL_CHOSEN, since all that the peer offers for one purpose is too weak.
    #[error("the peer offers nothing better than {0}")]
    TooWeak(Weak),
    /// INVALID_KE_PAYLOAD (RFC 7296 section 1.2): the peer is to try again with this group.
    #[error("{wanted} wanted where group {got} was guessed")]
    WrongGroup {
        /// The transform ID of the peer's guess.
        got: u16,
        /// The group of the suite chosen.
        wanted: DhGroup,
    },
}

/// Why IKE_AUTH was answered with an error that ends the IKE SA (RFC 7296 section 2.21.2).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AuthRefusal {
    /// INVALID_SYNTAX.
    #[error("{0}")]
    Malformed(String),
    /// UNSUPPORTED_CRITICAL_PAYLOAD.
    #[error("payload type {0} is critical and not supported")]
    CriticalPayload(u8),
    /// AUTHENTICATION_FAILED, like all that follow: no tunnel is for who the peer claims to be (`None`: for an
    /// identity of a kind not known here).
    #[error("no tunnel for {}", identity_or_unknown(.0))]
    UnknownIdentity(Option<Identity>),
    /// The peer of one tunnel asks for this identity, which is ours in another tunnel only.
    #[error("the peer asks for {0}, which is the local identity of another tunnel")]
    OtherTunnel(Identity),
    /// No AUTH payload: the peer wants EAP (RFC 7296 section 2.16).
    #[error("the peer asks for EAP")]
    Eap,
    /// An authentication method that is not supported.
    #[error("authentication method {0} is not supported")]
    Method(u8),
    /// The tunnel has a pre-shared key where the peer brings a certificate, or the other way round.
    #[error("authentication method {0} is not the one of the tunnel")]
    OtherMethod(u8),
    /// The peer's certificate or signature is not good enough.
    #[error(transparent)]
    Certificate(#[from] CertificateFault),
    /// The peer, which claims to be this one, has another pre-shared key, or another post-quantum one of the same name.
    #[error("wrong pre-shared key or PPK for {0}")]
    WrongKey(Identity),
    /// The tunnel demands a post-quantum pre-shared key, and the peer knows nothing of such keys.
    #[error("the tunnel requires a PPK, and the peer has not said USE_PPK (RFC 8784 section 3)")]
    PpkRequired,
    /// Both sides have said that they use such keys, and then the peer names none.
    #[error("no PPK_IDENTITY after USE_PPK (RFC 8784 section 3)")]
    NoPpkIdentity,
    /// The key that the peer names is not the tunnel's, and one of both demands it.
    #[error("the tunnel has no PPK of the peer's PPK_ID (RFC 8784 section 3)")]
    UnknownPpk,
    /// The commit was refused, or the SA was revoked before it was established.
    #[error("refused by the fleet")]
    Fleet,
    /// UNEXPECTED_NAT_DETECTED: the peer forbids NATs, and there is one (RFC 4555 section 3.9).
    #[error("there is a NAT, which the peer forbids (RFC 4555 section 3.9)")]
    UnexpectedNat,
}

fn identity_or_unknown(id: &Option<Identity>) -> String {
    id.as_ref()
        .map_or_else(|| "an identity of unknown kind".into(), Identity::to_string)
}

/// Why IKE_AUTH made an IKE SA without a child SA.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoChild {
    /// The one that the peer asks for cannot be had (RFC 7296 section 2.21.2).
    #[error(transparent)]
    Refused(#[from] ChildRefusal),
    /// The peer asks for none yet (RFC 6023).
    #[error("the peer asks for none yet")]
    NotWanted,
    /// The peer is to go to another gateway (RFC 5685 section 6).
    #[error("the peer is told to go to {0}")]
    Redirected(Gateway),
}

/// Why an IKE SA has no child SA, or not another one, and why it is not rekeyed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChildRefusal {
    /// NO_PROPOSAL_CHOSEN (RFC 7296 section 2.7).
    #[error("no acceptable proposal{0}")]
    NoProposal(Mismatch),
    /// NO_PROPOSAL_CHOSEN, since all that the peer offers for one purpose is too weak.
    #[error("the peer offers nothing better than {0}")]
    TooWeak(Weak),
    /// NO_PROPOSAL_CHOSEN, since the peer insists on extended sequence numbers. Edges that each see a part of the
    /// packets cannot follow their high half.
    #[error("the peer proposes nothing without extended sequence numbers")]
    EsnOnly,
    /// TS_UNACCEPTABLE (RFC 7296 section 2.9).
    #[error("no traffic selector in common")]
    Selectors,
    /// NO_ADDITIONAL_SAS: no free inbound SPI was found.
    #[error("no free SPI")]
    NoFreeSpi,
    /// NO_ADDITIONAL_SAS: [`crate::Limits::children_max`] is reached (RFC 7296 section 1.3).
    #[error("too many child SAs")]
    TooMany,
    /// NO_ADDITIONAL_SAS: the operator has removed the tunnel.
    #[error("the tunnel is gone")]
    NoTunnel,
    /// CHILD_SA_NOT_FOUND (RFC 7296 section 2.25).
    #[error("there is no such child SA to be rekeyed")]
    NotFound,
    /// STATE_NOT_FOUND: there is nothing that this IKE_FOLLOWUP_KE could follow.
    #[error("no exchange waits for this IKE_FOLLOWUP_KE (RFC 9370 section 2.2.4)")]
    NothingToFollow,
    /// INVALID_KE_PAYLOAD (RFC 7296 section 1.3): the peer is to try again with this group.
    #[error("a key exchange with {0} is wanted")]
    WrongGroup(DhGroup),
    /// TEMPORARY_FAILURE (RFC 7296 section 2.25): one of both sides rekeys or deletes what it is about.
    #[error("it collides with another exchange")]
    Collision,
    /// TEMPORARY_FAILURE: the commit was refused.
    #[error("refused by the fleet")]
    Fleet,
}

impl From<WireError> for AuthRefusal {
    fn from(error: WireError) -> Self {
        match error {
            WireError::CriticalPayload(kind) => Self::CriticalPayload(kind),
            WireError::NotIke(_)
            | WireError::MajorVersion(_)
            | WireError::TooManyPayloads
            | WireError::Syntax(_) => Self::Malformed(error.to_string()),
        }
    }
}
