//! Negotiation of a child SA (RFC 7296 sections 1.2, 2.7, 2.9 and 2.17).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::crypto::{ChildKeys, Fresh};
use crate::negotiation::nat::Outer;
use crate::negotiation::selectors::{Selectors, narrow, narrow_to_assigned};
use crate::negotiation::suites::{
    Chosen, esp_spi, esp_suite_and_exchanges, mismatch_of_esp, wants_esn_only, weakness_of_esp,
    without_key_exchange,
};
use crate::wire::{Payload, Proposal, WireError};
use crate::{ChildRefusal, ChildSa, DhGroup, EspSuite, IkeSpis, Kem, Prf, Secret, Side, Tunnel};

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

    /// The same for IKE_AUTH, whose initiator may leave all three payloads out to have no child SA yet
    /// (RFC 6023 section 5).
    pub(crate) fn read_if_any(payloads: &'a [Payload<'a>]) -> Result<Option<Self>, WireError> {
        let asks =
            |payload: &Payload<'_>| matches!(payload, Payload::Sa(_) | Payload::TsI(_) | Payload::TsR(_));
        match payloads.iter().any(asks) {
            true => Self::read(payloads).map(Some),
            false => Ok(None),
        }
    }

    /// Chooses within what the tunnel allows, in IKE_AUTH, whose child SA has no key exchange of its own, for a peer that is
    /// `assigned` these addresses.
    pub(crate) fn agree_first(
        &self,
        tunnel: &Tunnel,
        assigned: &[IpAddr],
    ) -> Result<AgreedChild<'a>, ChildRefusal> {
        let narrowed = Self {
            selectors: Selectors {
                local: self.selectors.local.clone(),
                remote: narrow_to_assigned(&self.selectors.remote, assigned, &tunnel.remote_ts),
            },
            ..*self
        };
        narrowed.agree_on(&without_key_exchange(self.proposals), tunnel, &[], &[])
    }

    /// The same in CREATE_CHILD_SA. `groups` are those of a key exchange that the child SA may have of its own, and `kems` the
    /// additional ones behind it.
    pub(crate) fn agree(
        &self,
        tunnel: &Tunnel,
        groups: &[DhGroup],
        kems: &[Kem],
    ) -> Result<AgreedChild<'a>, ChildRefusal> {
        self.agree_on(self.proposals, tunnel, groups, kems)
    }

    fn agree_on(
        &self,
        proposals: &[Proposal<'a>],
        tunnel: &Tunnel,
        groups: &[DhGroup],
        kems: &[Kem],
    ) -> Result<AgreedChild<'a>, ChildRefusal> {
        let chosen = esp_suite_and_exchanges(&tunnel.esp, groups, kems, proposals);
        let no_proposal = || ChildRefusal::NoProposal(mismatch_of_esp(&tunnel.esp, groups, proposals));
        let Some((Chosen { suite, answer }, group, kem)) = chosen else {
            return Err(match wants_esn_only(&tunnel.esp, groups, kems, proposals) {
                true => ChildRefusal::EsnOnly,
                false => weakness_of_esp(proposals).map_or_else(no_proposal, ChildRefusal::TooWeak),
            });
        };
        let outbound_spi = esp_spi(&answer).ok_or_else(no_proposal)?;
        let policy = Selectors {
            local: tunnel.local_ts.clone(),
            remote: tunnel.remote_ts.clone(),
        };
        let selectors = narrow(&self.selectors, &policy).ok_or(ChildRefusal::Selectors)?;
        Ok(AgreedChild {
            terms: ChildTerms {
                suite,
                outbound_spi,
                selectors,
            },
            group,
            kem,
            answer,
        })
    }
}

/// What both sides agree on.
pub(crate) struct AgreedChild<'a> {
    pub(crate) terms: ChildTerms,
    /// Of the key exchange that the child SA has of its own.
    pub(crate) group: Option<DhGroup>,
    /// Of the additional one that has to follow.
    pub(crate) kem: Option<Kem>,
    answer: Proposal<'a>,
}

/// What a child SA will be, its keys and our SPI apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChildTerms {
    pub(crate) suite: EspSuite,
    pub(crate) outbound_spi: u32,
    pub(crate) selectors: Selectors,
}

/// What a child SA takes from its IKE SA.
pub(crate) struct Parent<'a> {
    pub(crate) spis: IkeSpis,
    pub(crate) tunnel: &'a str,
    pub(crate) outer: Outer,
    pub(crate) prf: Prf,
    pub(crate) sk_d: &'a Secret,
}

impl ChildTerms {
    /// The SA for every kernel of the fleet, by an exchange that `initiator` has begun; in standby if it takes another's
    /// place.
    pub(crate) fn to_sa(
        &self,
        inbound_spi: u32,
        parent: &Parent<'_>,
        (initiator, fresh): (Side, &Fresh<'_>),
        standby: bool,
    ) -> ChildSa {
        let secret = (parent.prf, parent.sk_d);
        let keys = ChildKeys::derive(self.suite, secret, fresh);
        let (inbound_key, outbound_key) = match initiator {
            Side::Peer => (keys.from_initiator, keys.from_responder),
            Side::Us => (keys.from_responder, keys.from_initiator),
        };
        ChildSa {
            ike: parent.spis,
            tunnel: parent.tunnel.to_owned(),
            inbound_spi,
            outbound_spi: self.outbound_spi,
            path: parent.outer.path,
            udp_encap: parent.outer.udp_encap,
            suite: self.suite,
            inbound_key,
            outbound_key,
            local_ts: self.selectors.local.clone(),
            remote_ts: self.selectors.remote.clone(),
            standby,
        }
    }
}

impl AgreedChild<'_> {
    /// SA, TSi and TSr of the reply. `inbound_spi` is the one of [`ChildTerms::to_sa`], in octets.
    pub(crate) fn payloads<'s>(&self, inbound_spi: &'s [u8; 4]) -> [Payload<'s>; 3] {
        let answer = Proposal {
            number: self.answer.number,
            protocol: self.answer.protocol,
            spi: inbound_spi,
            transforms: self.answer.transforms.clone(),
        };
        [
            Payload::Sa(vec![answer]),
            Payload::TsI(self.terms.selectors.remote.clone()),
            Payload::TsR(self.terms.selectors.local.clone()),
        ]
    }
}
