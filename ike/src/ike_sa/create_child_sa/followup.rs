//! What CREATE_CHILD_SA has agreed on, for an additional key exchange to follow it (RFC 9370 section 2.2.4).
//!
//! It is a part of the snapshot before the next message leaves, so that the next owner can go on.

use serde::{Deserialize, Serialize};

use crate::crypto::Fresh;
use crate::negotiation::child_sa::ChildTerms;
use crate::{IkeSpis, IkeSuite, Kem, Secret};

/// Octets of the data that links both exchanges.
pub(crate) const LINK_LEN: usize = 16;

/// The peer's IKE_FOLLOWUP_KE is awaited.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FollowUp {
    /// Data of ADDITIONAL_KEY_EXCHANGE, which the peer brings back. It is random: what does not belong here is found out.
    pub(crate) link: [u8; LINK_LEN],
    pub(crate) kem: Kem,
    pub(crate) granted: Granted,
}

/// The response to ours is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Following {
    pub(crate) kem: Kem,
    /// Decapsulates what the response brings.
    pub(crate) private: Secret,
    pub(crate) granted: Granted,
}

/// An SA as far as CREATE_CHILD_SA makes it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Granted {
    pub(crate) sa: GrantedSa,
    /// The result of the key exchange in CREATE_CHILD_SA, if it has one.
    pub(crate) shared: Option<Secret>,
    pub(crate) ni: Vec<u8>,
    pub(crate) nr: Vec<u8>,
}

/// Which SA.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum GrantedSa {
    /// A child SA, which may take the place of another.
    Child {
        terms: ChildTerms,
        inbound_spi: u32,
        replaces: Option<u32>,
    },
    /// An IKE SA in the place of this one.
    Ike {
        suite: IkeSuite,
        spis: IkeSpis,
        /// That the peer has given for it (RFC 6290 section 4.3).
        peer_token: Option<Secret>,
    },
}

impl Granted {
    /// Inbound SPI of the child SA that there will be.
    pub(crate) fn child(&self) -> Option<u32> {
        match self.sa {
            GrantedSa::Child { inbound_spi, .. } => Some(inbound_spi),
            GrantedSa::Ike { .. } => None,
        }
    }

    /// Our SPI of the IKE SA that there will be.
    pub(crate) fn ike(&self) -> Option<u64> {
        match self.sa {
            GrantedSa::Child { .. } => None,
            GrantedSa::Ike { spis, .. } => Some(spis.responder),
        }
    }

    /// What its keys come of, with the result of the `additional` key exchange.
    pub(crate) fn fresh<'a>(&'a self, additional: Option<&'a Secret>) -> Fresh<'a> {
        Fresh {
            shared: self.shared.as_ref(),
            ni: &self.ni,
            nr: &self.nr,
            additional,
        }
    }
}
