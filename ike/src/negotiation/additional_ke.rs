//! An additional key exchange (RFC 9370), whichever exchange carries it.

use crate::crypto::{Encapsulated, Kem};
use crate::message::window::Answered;
use crate::wire::{KeyExchange, Payload, WireError};

/// Message ID of the one IKE_INTERMEDIATE exchange there is.
pub(crate) const MESSAGE_ID: u32 = 1;

/// Where an IKE SA in the making stands between IKE_SA_INIT and IKE_AUTH.
#[derive(Debug)]
pub(crate) enum Additional {
    /// No additional key exchange was agreed on: IKE_AUTH follows.
    None,
    /// IKE_INTERMEDIATE has to follow. What was agreed on is not given up for an IKE_AUTH that comes in its place.
    Awaited(Kem),
    /// IKE_AUTH follows, with keys that come of both.
    Done(Done),
}

/// What IKE_INTERMEDIATE leaves for IKE_AUTH.
#[derive(Debug)]
pub(crate) struct Done {
    /// For retransmissions: sealed with keys that are gone.
    pub(crate) answered: Answered,
    /// IntAuth, which AUTH covers.
    pub(crate) int_auth: Vec<u8>,
}

impl Additional {
    /// The message ID of IKE_AUTH, once it may come (RFC 9242 section 3.2).
    pub(crate) fn auth_message_id(&self) -> Option<u32> {
        match self {
            Self::None => Some(MESSAGE_ID),
            Self::Awaited(_) => None,
            Self::Done(_) => Some(MESSAGE_ID + 1),
        }
    }

    /// The peer has done one.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    /// What AUTH covers besides (RFC 9242 section 3.3.2).
    pub(crate) fn int_auth(&self) -> &[u8] {
        match self {
            Self::None | Self::Awaited(_) => &[],
            Self::Done(done) => &done.int_auth,
        }
    }
}

/// A secret for the peer, by the public value that it has sent.
pub(crate) fn encapsulate(kem: Kem, payloads: &[Payload<'_>]) -> Result<Encapsulated, WireError> {
    kem.encapsulate(public_value(kem, payloads)?)
        .map_err(|_| WireError::Syntax("bad public value"))
}

/// The value of the one KE payload that IKE_INTERMEDIATE and IKE_FOLLOWUP_KE have.
pub(crate) fn public_value<'a>(kem: Kem, payloads: &'a [Payload<'a>]) -> Result<&'a [u8], WireError> {
    payloads
        .iter()
        .find_map(|payload| match payload {
            Payload::KeyExchange(KeyExchange { group, public }) if *group == kem.id() => Some(*public),
            _ => None,
        })
        .ok_or(WireError::Syntax("no KE payload of the method agreed on"))
}
