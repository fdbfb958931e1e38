//! What happened, for a log line or a counter. Nothing here is secret.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::wire::{NotifyType, WireError};
use crate::{AuthRefusal, ChildRefusal, Gateway, Identity, IkeSpis, InitRefusal, NoChild, Path};

/// Something that happened, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The addresses of the datagram that caused it, or those of the IKE SA.
    pub path: Path,
    /// The IKE SA; `None` when there is none yet.
    pub ike: Option<IkeSpis>,
    /// The [`crate::Tunnel::name`], once the peer has proved whose it is.
    pub tunnel: Option<String>,
    /// What.
    pub what: What,
}

/// What happened. `Display` names the rule where one was broken. Not `non_exhaustive`: who counts and logs events has to say
/// something about each.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum What {
    /// A datagram was dropped in silence.
    #[error("datagram dropped: {0}")]
    Dropped(#[from] Dropped),
    /// IKE_SA_INIT was answered with a cookie and nothing else: too many IKE SAs are half-open, or too many errors are sent.
    #[error("a cookie is asked for (RFC 7296 section 2.6)")]
    CookieAsked,
    /// IKE_SA_INIT did not lead to a half-open IKE SA.
    #[error("IKE_SA_INIT refused: {0}")]
    InitRefused(#[from] InitRefusal),
    /// IKE_INTERMEDIATE (RFC 9242) did not lead to IKE_AUTH.
    #[error("IKE_INTERMEDIATE refused: {0}")]
    IntermediateRefused(AuthRefusal),
    /// IKE_AUTH did not lead to an IKE SA.
    #[error("IKE_AUTH refused: {0}")]
    AuthRefused(#[from] AuthRefusal),
    /// The peer did not send IKE_AUTH, or the fleet did not answer the commit, within the half-open lifetime.
    #[error("not established in time")]
    Expired,
    /// An IKE SA is established.
    #[error("established by {}, {}", .remote_id, describe_child(.child))]
    Established {
        /// Who the peer proved to be.
        remote_id: Identity,
        /// The inbound SPI of its child SA, or why it has none.
        child: Result<u32, NoChild>,
    },
    /// An IKE SA of a tunnel that has a post-quantum pre-shared key was established without it (RFC 8784 section 6).
    #[error("established without the tunnel's PPK (RFC 8784)")]
    WithoutPpk,
    /// The peer deleted these child SAs, named by their inbound SPIs.
    #[error("the peer deleted child SAs {0:08x?}")]
    ChildrenDeleted(Vec<u32>),
    /// An established IKE SA is gone.
    #[error("ended: {0}")]
    Ended(#[from] Ending),
    /// An IKE SA was restored from its snapshot.
    #[error("restored")]
    Restored,
    /// The peer does not answer, but it was restored with a message ID that may be too old for it: kept.
    #[error("silent since it was restored")]
    SilentSinceRestore,
    /// The peer has another address or port now: its NAT has changed them (RFC 7296 section 2.23), or it has told so
    /// (RFC 4555).
    #[error("the peer moved from {from}")]
    PeerMoved {
        /// Where it was before.
        from: SocketAddr,
    },
    /// The peer sent a notification that changes nothing here; its notify message type.
    #[error("the peer notified {}", NotifyType(*.0))]
    Notified(u16),
    /// A child SA is to be made besides those there are, or in the place of one of them.
    #[error("child SA {inbound_spi:08x} by {by}{}", place_of(.replaces))]
    ChildAdded {
        /// Its inbound SPI.
        inbound_spi: u32,
        /// Inbound SPI of the one that it replaces.
        replaces: Option<u32>,
        /// Who has asked for it.
        by: Side,
    },
    /// The peer's CREATE_CHILD_SA was answered with an error.
    #[error("CREATE_CHILD_SA refused: {0}")]
    ChildRefused(#[from] ChildRefusal),
    /// The IKE SA is rekeyed: another inherits its child SAs (RFC 7296 section 2.18).
    #[error("rekeyed by {by} as {:016x}", .replacement.responder)]
    IkeRekeyed {
        /// The other.
        replacement: IkeSpis,
        /// Who has asked for it.
        by: Side,
    },
    /// The peer is told to go to another gateway (RFC 5685 section 5).
    #[error("told to go to {0}")]
    Redirected(Gateway),
    /// The peer ought to go to another gateway, but does not follow redirects: it stays.
    #[error("stays, since the peer does not follow redirects (RFC 5685), and was to go to {0}")]
    NotRedirected(Gateway),
    /// The peer says that this gateway has sent it here (RFC 5685 section 9.3).
    #[error("sent here by {0}")]
    RedirectedFrom(IpAddr),
    /// The peer speaks to an IKE SA that the whole fleet does not know, and is told so (RFC 6290 section 4.5).
    #[error("an IKE SA that the fleet has lost: the peer is told so")]
    Disowned,
    /// The peer answered our CREATE_CHILD_SA with an error; its notify message type.
    #[error("the peer refused a rekey with {}", NotifyType(*.0))]
    RekeyRefused(u16),
    /// The peer answered our CREATE_CHILD_SA, or IKE_FOLLOWUP_KE, with what it was not offered; that rekey is given up.
    #[error("the peer's answer to a rekey cannot be used: {0}")]
    RekeyUnusable(String),
}

/// One of the two ends of an IKE SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// We.
    Us,
    /// The peer.
    Peer,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Us => "us",
            Self::Peer => "the peer",
        })
    }
}

fn place_of(replaces: &Option<u32>) -> String {
    replaces
        .map(|spi| format!(" in place of {spi:08x}"))
        .unwrap_or_default()
}

fn describe_child(child: &Result<u32, NoChild>) -> String {
    match child {
        Ok(spi) => format!("child SA {spi:08x}"),
        Err(reason) => format!("without child SA: {reason}"),
    }
}

/// Why a datagram was dropped in silence. Not `non_exhaustive`, as [`What`] is not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Dropped {
    /// Not IKE at all.
    #[error("{0}")]
    Malformed(String),
    /// On port 4500, without non-ESP marker.
    #[error("not IKE but ESP")]
    NotIke,
    /// No IKE SA here has its responder SPI. Silence is allowed (RFC 7296 section 2.21.4), and needed in a fleet
    /// where another edge may know it.
    #[error("unknown responder SPI")]
    UnknownSpi,
    /// A response nobody asked for, or a request with the flags or message ID of another exchange.
    #[error("does not fit the exchange (RFC 7296 section 2.2)")]
    Unexpected,
    /// The message ID is not the next one.
    #[error("message ID {got} where {expected} was expected (RFC 7296 section 2.3)")]
    OutsideWindow {
        /// In the message.
        got: u32,
        /// By us; one more than the highest message ID when nothing more is accepted.
        expected: u64,
    },
    /// The SK payload is missing or was not made with the keys of the IKE SA.
    #[error("not authentic")]
    NotAuthentic,
    /// A message in fragments that are too many or hold too much (RFC 7383).
    #[error("the message's fragments hold too much")]
    FragmentsTooLong,
    /// An IKE_SA_INIT request longer than what is kept for AUTH.
    #[error("IKE_SA_INIT too long")]
    TooLong,
    /// [`crate::Limits::half_open_max`] is reached.
    #[error("too many half-open IKE SAs")]
    TooManyHalfOpen,
    /// [`crate::Limits::half_open_per_source`] is reached.
    #[error("too many half-open IKE SAs from one source")]
    TooManyFromSource,
    /// More unprotected errors were called for than are sent in a second (RFC 7296 section 2.21.4).
    #[error("too many unprotected errors to answer")]
    TooManyErrors,
    /// The peer asks more often than the fleet will follow for what the whole fleet has to know.
    #[error("too many changes")]
    TooManyChanges,
}

impl From<WireError> for Dropped {
    fn from(error: WireError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Why an established IKE SA is gone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Ending {
    /// The peer sent DELETE.
    #[error("the peer deleted it")]
    PeerDeleted,
    /// The peer answered no request for long enough (RFC 7296 section 2.4).
    #[error("the peer is dead")]
    PeerDead,
    /// The peer notified an error that ends it (RFC 7296 sections 2.21.2 and 2.21.3); its notify message type.
    #[error("the peer notified {}", NotifyType(*.0))]
    PeerRefused(u16),
    /// The peer sent an authentic message that is malformed (RFC 7296 section 2.21.3).
    #[error("the peer's message is malformed: {0}")]
    Malformed(String),
    /// The peer did not return what it was sent to show that it receives at its address (RFC 4555 section 3.7).
    #[error("the peer returned another COOKIE2 (RFC 4555 section 3.7)")]
    WrongCookie2,
    /// It has sent all the messages that its keys allow.
    #[error("its IVs are used up")]
    Exhausted,
    /// The peer has shown its token: it has lost the IKE SA (RFC 6290 section 3).
    #[error("the peer has lost it")]
    PeerCrashed,
    /// The peer was told to go to another gateway, and has not ended it (RFC 5685 section 5).
    #[error("the peer was redirected")]
    Redirected,
    /// Another has taken its place (RFC 7296 section 2.18).
    #[error("it was rekeyed")]
    Rekeyed,
    /// The peer refused our rekeys for minutes: both sides begin again (RFC 7296 sections 2.8 and 2.25).
    #[error("the peer refuses to rekey")]
    RekeyRefused,
    /// Revoked or superseded: the fleet dropped it.
    #[error("removed by the fleet")]
    Removed,
}
