//! Our own CREATE_CHILD_SA (RFC 7296 section 1.3), and the IKE_FOLLOWUP_KE that may follow it (RFC 9370 section 2.2.4), from
//! the first request to the last response.
//!
//! It is a part of the snapshot before each request leaves: should this process die, the next owner sends the same
//! octets again and makes the same SA of the response.

use serde::{Deserialize, Serialize};

use crate::crypto::{DhKeyPair, Seeded};
use crate::ike_sa::create_child_sa::followup::Following;
use crate::ike_sa::request_queue::{Old, Request};
use crate::ike_sa::state::State;
use crate::negotiation::selectors::Selectors;
use crate::{DhGroup, EspSuite, IkeSuite, Kem, Secret};

/// Octets of our nonces: half of the longest PRF's key (RFC 7296 section 2.10).
pub(crate) const NONCE_LEN: usize = 32;

/// One whose last response is still to come.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Exchange {
    pub(crate) subject: Subject,
    pub(crate) stage: Stage,
    /// Of the request.
    pub(crate) message_id: u32,
    /// The request without non-ESP marker.
    pub(crate) octets: Vec<u8>,
    /// The peer has had the same idea at the same time.
    pub(crate) rival: Option<Rival>,
}

/// Which request has no response yet.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Stage {
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
    pub(crate) fn old(&self) -> Old {
        match self {
            Self::Child { replaces, .. } => Old::Child(*replaces),
            Self::Ike { .. } => Old::Ike,
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
    fn ike(&self) -> Option<u64> {
        match self {
            Self::Child { .. } => None,
            Self::Ike { with, .. } => Some(*with),
        }
    }
}

/// What the peer has made in the place of the same SA.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rival {
    /// Of the two nonces of its exchange: "the SA created with the lowest of the four nonces used in the two exchanges
    /// SHOULD be closed by the endpoint that created it" (RFC 7296 section 2.8.1).
    pub(crate) lowest: Vec<u8>,
    pub(crate) sa: RivalSa,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum RivalSa {
    /// By its inbound SPI.
    Child(u32),
    /// It does not run before it is known which of both survives.
    Ike(Box<State>),
}

impl Rival {
    /// Inbound SPI of a child SA.
    pub(crate) fn child(&self) -> Option<u32> {
        match self.sa {
            RivalSa::Child(spi) => Some(spi),
            RivalSa::Ike(_) => None,
        }
    }
}

/// "An octet-by-octet comparison [...] If you reach the end of one nonce, that nonce is the lower one" (RFC 7296 section
/// 2.8.1).
pub(crate) fn lowest(ni: &[u8], nr: &[u8]) -> Vec<u8> {
    ni.min(nr).to_vec()
}

impl Exchange {
    /// One whose request is `octets`, with this message ID.
    pub(crate) fn new(subject: Subject, stage: Stage, (message_id, octets): (u32, Vec<u8>)) -> Self {
        Self {
            subject,
            stage,
            message_id,
            octets,
            rival: None,
        }
    }

    /// Our SPIs of the IKE SAs that may come of it.
    pub(crate) fn promised_spis(&self) -> impl Iterator<Item = u64> {
        let rival = self.rival.as_ref().and_then(|rival| match &rival.sa {
            RivalSa::Child(_) => None,
            RivalSa::Ike(heir) => Some(heir.spis().responder),
        });
        self.subject.ike().into_iter().chain(rival)
    }

    pub(crate) fn request(&self) -> Request {
        match &self.stage {
            Stage::Asked(asked) => Request::Rekey(self.subject.old(), asked.group),
            Stage::Following(_) => Request::FollowUp(self.subject.old()),
        }
    }

    /// Whether IKE_FOLLOWUP_KE belongs to it, or may belong.
    pub(crate) fn may_follow_up(&self) -> bool {
        match &self.stage {
            Stage::Asked(asked) => !asked.kems.is_empty(),
            Stage::Following(_) => true,
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
