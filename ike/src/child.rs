//! Negotiation of a child SA (RFC 7296 sections 1.2, 2.7, 2.9 and 2.17).

use serde::{Deserialize, Serialize};

use crate::crypto::ChildKeys;
use crate::narrow::{Selectors, narrow};
use crate::select::{Chosen, esp_spi, esp_suite, wants_esn_only};
use crate::wire::{Payload, Proposal, WireError};
use crate::{ChildRefusal, ChildSa, EspSuite, IkeSpis, Path, Prf, Secret, Tunnel};

/// Both SPIs of a child SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChildSpis {
    /// Ours.
    pub(crate) inbound: u32,
    /// The peer's.
    pub(crate) outbound: u32,
}

/// What the peer asks for.
pub(crate) struct ChildRequest<'a> {
    proposals: &'a [Proposal<'a>],
    selectors: Selectors,
}

impl<'a> ChildRequest<'a> {
    /// SA, TSi and TSr. USE_TRANSPORT_MODE is a wish that tunnel mode answers by not repeating it (RFC 7296 section
    /// 1.3.1), and a configuration request may go unanswered (RFC 7296 section 2.19).
    pub(crate) fn read(payloads: &'a [Payload<'a>]) -> Result<Self, WireError> {
        let mut proposals = None;
        let mut selectors = Selectors {
            local: Vec::new(),
            remote: Vec::new(),
        };
        for payload in payloads {
            match payload {
                Payload::Sa(offered) => proposals = Some(offered.as_slice()),
                Payload::TsI(offered) => selectors.remote = offered.clone(),
                Payload::TsR(offered) => selectors.local = offered.clone(),
                _ => {}
            }
        }
        let proposals = proposals.ok_or(WireError::Syntax("no SA payload"))?;
        Ok(Self { proposals, selectors })
    }

    /// Chooses within what the tunnel allows.
    pub(crate) fn agree(&self, tunnel: &Tunnel) -> Result<Agreed<'a>, ChildRefusal> {
        let Some(Chosen { suite, answer }) = esp_suite(&tunnel.esp, self.proposals) else {
            return Err(match wants_esn_only(&tunnel.esp, self.proposals) {
                true => ChildRefusal::EsnOnly,
                false => ChildRefusal::NoProposal,
            });
        };
        let outbound_spi = esp_spi(&answer).ok_or(ChildRefusal::NoProposal)?;
        let policy = Selectors {
            local: tunnel.local_ts.clone(),
            remote: tunnel.remote_ts.clone(),
        };
        let selectors = narrow(&self.selectors, &policy).ok_or(ChildRefusal::Selectors)?;
        Ok(Agreed {
            suite,
            answer,
            outbound_spi,
            selectors,
        })
    }
}

/// What both sides agree on.
pub(crate) struct Agreed<'a> {
    suite: EspSuite,
    answer: Proposal<'a>,
    outbound_spi: u32,
    selectors: Selectors,
}

/// What a child SA takes from its IKE SA.
pub(crate) struct Parent<'a> {
    pub(crate) spis: IkeSpis,
    pub(crate) tunnel: &'a str,
    pub(crate) path: Path,
    pub(crate) udp_encap: bool,
    pub(crate) prf: Prf,
    pub(crate) sk_d: &'a Secret,
    pub(crate) ni: &'a [u8],
    pub(crate) nr: &'a [u8],
}

impl Agreed<'_> {
    /// The SA for every kernel of the fleet.
    pub(crate) fn into_sa(self, inbound_spi: u32, parent: Parent<'_>) -> ChildSa {
        let keys = ChildKeys::derive(self.suite, parent.prf, parent.sk_d, parent.ni, parent.nr);
        ChildSa {
            ike: parent.spis,
            tunnel: parent.tunnel.to_owned(),
            inbound_spi,
            outbound_spi: self.outbound_spi,
            path: parent.path,
            udp_encap: parent.udp_encap,
            suite: self.suite,
            inbound_key: keys.from_initiator,
            outbound_key: keys.from_responder,
            local_ts: self.selectors.local,
            remote_ts: self.selectors.remote,
            standby: false,
        }
    }

    /// SA, TSi and TSr of the reply. `inbound_spi` is the one of [`Self::into_sa`], in octets.
    pub(crate) fn payloads<'s>(&self, inbound_spi: &'s [u8; 4]) -> [Payload<'s>; 3] {
        let answer = Proposal {
            number: self.answer.number,
            protocol: self.answer.protocol,
            spi: inbound_spi,
            transforms: self.answer.transforms.clone(),
        };
        [
            Payload::Sa(vec![answer]),
            Payload::TsI(self.selectors.remote.clone()),
            Payload::TsR(self.selectors.local.clone()),
        ]
    }
}
