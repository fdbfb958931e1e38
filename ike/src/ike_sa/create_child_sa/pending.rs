//! Our own CREATE_CHILD_SA (RFC 7296 section 1.3), and the IKE_FOLLOWUP_KE that may follow it (RFC 9370 section 2.2.4), from
//! the first request to the last response.
//!
//! It is a part of the snapshot before each request leaves: should this process die, the next owner sends the same
//! octets again and makes the same SA of the response.

use serde::{Deserialize, Serialize};

use crate::crypto::{DhKeyPair, Seeded};
use crate::ike_sa::create_child_sa::followup::Following;
use crate::ike_sa::liveness::request_queue::{ReplacedSa, Request};
use crate::negotiation::selectors::Selectors;
use crate::negotiation::suites::NONCE_LEN;
use crate::{DhGroup, EspSuite, IkeSuite, Kem, Secret};

/// One whose last response is still to come.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Exchange {
    pub(crate) subject: Subject,
    pub(crate) awaited: AwaitedResponse,
    /// Of the request.
    pub(crate) message_id: u32,
    /// The request without non-ESP marker.
    pub(crate) octets: Vec<u8>,
}

/// Which response is awaited.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum AwaitedResponse {
    /// CREATE_CHILD_SA.
    Asked(Asked),
    /// IKE_FOLLOWUP_KE.
    Following(Following),
}

/// What keys the peer is offered to exchange in CREATE_CHILD_SA, and behind it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Nonce and key pair come of it.
    seed: Secret,
    pub(crate) group: DhGroup,
    /// Of the additional key exchanges the peer may choose one.
    pub(crate) kems: Vec<Kem>,
}

/// What is to be made, and of what the peer is offered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Subject {
    /// A child SA with the inbound SPI `with` in the place of another.
    Child {
        replaces: u32,
        with: u32,
        suite: EspSuite,
        selectors: Selectors,
    },
    /// An IKE SA with our SPI `with` in the place of this one.
    Ike { with: u64, suite: IkeSuite },
}

impl Subject {
    pub(crate) fn old(&self) -> ReplacedSa {
        match self {
            Self::Child { replaces, .. } => ReplacedSa::Child(*replaces),
            Self::Ike { .. } => ReplacedSa::Ike,
        }
    }

    /// Inbound SPI of the child SA that there will be.
    pub(crate) fn child(&self) -> Option<u32> {
        match self {
            Self::Child { with, .. } => Some(*with),
            Self::Ike { .. } => None,
        }
    }

    /// Our SPI of the IKE SA that there will be.
    pub(crate) fn ike(&self) -> Option<u64> {
        match self {
            Self::Child { .. } => None,
            Self::Ike { with, .. } => Some(*with),
        }
    }
}

/// "An octet-by-octet comparison [...] If you reach the end of one nonce, that nonce is the lower one" (RFC 7296 section
/// 2.8.1).
pub(crate) fn lowest_nonce(ni: &[u8], nr: &[u8]) -> Vec<u8> {
    ni.min(nr).to_vec()
}

impl Exchange {
    /// One whose request is `octets`, with this message ID.
    pub(crate) fn new(
        subject: Subject,
        awaited: AwaitedResponse,
        (message_id, octets): (u32, Vec<u8>),
    ) -> Self {
        Self {
            subject,
            awaited,
            message_id,
            octets,
        }
    }

    pub(crate) fn request(&self) -> Request {
        match &self.awaited {
            AwaitedResponse::Asked(asked) => Request::Rekey(self.subject.old(), asked.group),
            AwaitedResponse::Following(_) => Request::FollowUp(self.subject.old()),
        }
    }

    /// Whether IKE_FOLLOWUP_KE belongs to it, or may belong.
    pub(crate) fn may_follow_up(&self) -> bool {
        match &self.awaited {
            AwaitedResponse::Asked(asked) => !asked.kems.is_empty(),
            AwaitedResponse::Following(_) => true,
        }
    }
}

impl Asked {
    pub(crate) fn new(seed: Secret, group: DhGroup, kems: Vec<Kem>) -> Self {
        Self { seed, group, kems }
    }

    /// Our nonce and our key pair, the same each time.
    pub(crate) fn material(&self) -> ([u8; NONCE_LEN], DhKeyPair) {
        let mut seeded = Seeded::new(&self.seed);
        let mut nonce = [0; NONCE_LEN];
        seeded.fill(&mut nonce);
        let key_pair = DhKeyPair::of_seed(self.group, &mut seeded);
        (nonce, key_pair)
    }
}
