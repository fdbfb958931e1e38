//! The peer's CREATE_CHILD_SA: another child SA, or a new one in the place of one there is, or a new IKE SA.

use super::followup::{Granted, GrantedSa};
use super::pending::lowest_nonce;
use super::replacement::ReplacementTerms;
use crate::crypto::{DhKeyPair, Fresh};
use crate::fleet::qcd;
use crate::ike_sa::child_sas::{Child, ChildPhase};
use crate::ike_sa::commits::Made;
use crate::ike_sa::context::Context;
use crate::ike_sa::liveness::request_queue::{ReplacedSa, Request};
use crate::ike_sa::state::{PeerReplacement, ReplacementSa};
use crate::ike_sa::{Established, Fate, Lifecycle};
use crate::message::channel::{Exhausted, Role};
use crate::message::inbound::Arrived;
use crate::negotiation::child_sa::{ChildRequest, ChildTerms};
use crate::negotiation::create_child_sa::{CreateChild, Rekeyed};
use crate::negotiation::suites::{NONCE_LEN, ike_suite_and_spi, mismatch_of_ike};
use crate::wire::{KeyExchange, Payload, Proposal, Protocol, WireError};
use crate::{Change, ChildRefusal, DhGroup, IkeSpis, IkeSuite, Secret, Side};

/// Why a request is not granted.
pub(in crate::ike_sa) enum CreateChildFailure {
    Refused(ChildRefusal),
    Malformed(WireError),
    Exhausted(Exhausted),
}

impl From<ChildRefusal> for CreateChildFailure {
    fn from(refusal: ChildRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<WireError> for CreateChildFailure {
    fn from(error: WireError) -> Self {
        Self::Malformed(error)
    }
}

impl From<Exhausted> for CreateChildFailure {
    fn from(exhausted: Exhausted) -> Self {
        Self::Exhausted(exhausted)
    }
}

impl Established {
    pub(in crate::ike_sa) fn answer_create_child_sa(
        &mut self,
        arrived: Arrived<'_>,
        payloads: &[Payload<'_>],
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        let request = match CreateChild::read(payloads) {
            Ok(request) => request,
            Err(error) => return self.answer_malformed(arrived, error, cx),
        };
        let is_ours_due = self.waits_to_rekey();
        // One at a time is enough for a peer, and all that it can make us keep.
        self.forget_follow_up(cx);
        let granted = match request.is_for_ike() {
            _ if is_ours_due => Err(ChildRefusal::Collision.into()),
            true => self.grant_ike_sa(arrived, &request, cx),
            false => self.grant_child_sa(arrived, &request, payloads, cx),
        };
        match (granted, request.rekeyed) {
            (Err(CreateChildFailure::Refused(ChildRefusal::NotFound)), Some(rekeyed)) => {
                self.refuse_unknown(arrived, rekeyed, cx)
            }
            (granted, _) => self.answer_failure(arrived, granted, cx),
        }
    }

    /// Answers a request that could not be done with the reason.
    pub(super) fn answer_failure(
        &mut self,
        arrived: Arrived<'_>,
        handled: Result<(), CreateChildFailure>,
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        match handled {
            Ok(()) => Ok(Fate::Stays),
            Err(CreateChildFailure::Refused(refusal)) => self.refuse(arrived, refusal, cx),
            Err(CreateChildFailure::Malformed(error)) => self.answer_malformed(arrived, error, cx),
            Err(CreateChildFailure::Exhausted(exhausted)) => Err(exhausted),
        }
    }

    fn refuse_unknown(
        &mut self,
        arrived: Arrived<'_>,
        rekeyed: Rekeyed<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        self.report(ChildRefusal::NotFound, cx.out);
        self.seal_reply(arrived, &[rekeyed.not_found()])?;
        self.release(arrived.path, false, cx);
        Ok(Fate::Stays)
    }

    fn refuse(
        &mut self,
        arrived: Arrived<'_>,
        refusal: ChildRefusal,
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        let (kind, data) = refusal.notification();
        self.report(refusal, cx.out);
        self.answer_error(arrived, kind, &data, cx)
    }

    fn grant_child_sa(
        &mut self,
        arrived: Arrived<'_>,
        request: &CreateChild<'_>,
        payloads: &[Payload<'_>],
        cx: &mut Context<'_>,
    ) -> Result<(), CreateChildFailure> {
        let replaces = self.child_to_replace(request, cx)?;
        let tunnel = cx
            .tunnels
            .get(self.state.tunnel())
            .ok_or(ChildRefusal::NoTunnel)?;
        let agreed = ChildRequest::read(payloads)?.agree(tunnel, cx.groups(), &cx.config.ike.kems)?;
        let is_same = |old| replaces.is_some_and(|replaces| old == ReplacedSa::Child(replaces));
        self.state.rekeys.may_be_followed(agreed.kem, is_same)?;
        let answered = agreed
            .group
            .map(|group| exchange_keys(group, request.ke, cx))
            .transpose()?;
        let spi = cx
            .issue_esp_spi(self.state.spis().responder)
            .ok_or(ChildRefusal::NoFreeSpi)?;
        let nr: [u8; NONCE_LEN] = cx.random();

        let spi_octets = spi.to_be_bytes();
        let [sa, ts_i, ts_r] = agreed.payloads(&spi_octets);
        let mut reply = vec![sa, Payload::Nonce(&nr)];
        reply.extend(answered.iter().map(KeyExchangeAnswer::payload));
        reply.extend([ts_i, ts_r]);
        let granted = Granted {
            sa: GrantedSa::Child {
                terms: agreed.terms,
                inbound_spi: spi,
                replaces,
            },
            shared: answered.as_ref().map(|answered| answered.shared.clone()),
            ni: request.nonce.to_vec(),
            nr: nr.to_vec(),
        };
        self.grant(arrived, granted, agreed.kem, reply, cx)
    }

    /// The child SA `(inbound_spi, replaces)` is there as soon as the fleet knows it.
    pub(super) fn make_child(
        &mut self,
        arrived: Arrived<'_>,
        terms: &ChildTerms,
        (spi, replaces): (u32, Option<u32>),
        fresh: &Fresh<'_>,
        cx: &mut Context<'_>,
    ) {
        let (parent, fresh_of_peer) = (self.state.parent(), (Side::Peer, fresh));
        let child = terms.to_sa(spi, &parent, fresh_of_peer, replaces.is_some());
        let phase = match replaces {
            None => ChildPhase::Active,
            Some(replaces) => ChildPhase::Standby {
                replaces,
                made_by: Side::Peer,
            },
        };
        self.state
            .children
            .push(Child::new(&child, phase, cx.unix_seconds()));
        self.report_child(spi, replaces, Side::Peer, cx.out);
        // It does rekey, if not as we asked.
        self.rekeying.handle_accepted();
        let is_same = |old| replaces.is_some_and(|replaces| old == ReplacedSa::Child(replaces));
        if self.state.rekeys.is_rekeying(is_same) {
            self.state.note_peer_replacement(PeerReplacement {
                lowest_nonce: lowest_nonce(fresh.ni, fresh.nr),
                sa: ReplacementSa::Child(spi),
            });
        }
        let changes = vec![Change::PutChild(Box::new(child)), self.put()];
        self.hold(arrived, changes, Made::Child(spi), false, cx);
    }

    /// The inbound SPI of the child SA that the request wants replaced, if it wants that.
    fn child_to_replace(
        &mut self,
        request: &CreateChild<'_>,
        cx: &Context<'_>,
    ) -> Result<Option<u32>, ChildRefusal> {
        self.may_add_child(None)?;
        let (count, max) = (self.state.children.len(), cx.config.limits.children_max);
        let Some(rekeyed) = request.rekeyed else {
            return match count < max {
                true => Ok(None),
                false => Err(ChildRefusal::TooMany),
            };
        };
        let child = rekeyed.esp_spi().and_then(|spi| self.state.children.of_peer(spi));
        let replaces = child.ok_or(ChildRefusal::NotFound)?.inbound_spi();
        self.may_add_child(Some(replaces))?;
        match count < 2 * max {
            true => Ok(Some(replaces)),
            false => Err(ChildRefusal::TooMany),
        }
    }

    /// Whether there may be a child SA more now, perhaps in the place of another.
    pub(super) fn may_add_child(&mut self, replaces: Option<u32>) -> Result<(), ChildRefusal> {
        // RFC 7296 section 2.25.2.
        if self.is_ending() || self.state.rekeys.is_rekeying(|old| old == ReplacedSa::Ike) {
            return Err(ChildRefusal::Collision);
        }
        let Some(replaces) = replaces else {
            return Ok(());
        };
        let child = self.state.children.get(replaces);
        match child.ok_or(ChildRefusal::NotFound)?.phase() {
            // RFC 7296 section 2.25.1: "currently trying to close", which the peer may be as well.
            ChildPhase::Closing | ChildPhase::Replaced => Err(ChildRefusal::Collision),
            ChildPhase::Active | ChildPhase::Standby { .. } | ChildPhase::Retiring | ChildPhase::Lost => {
                Ok(())
            }
        }
    }

    fn grant_ike_sa(
        &mut self,
        arrived: Arrived<'_>,
        request: &CreateChild<'_>,
        cx: &mut Context<'_>,
    ) -> Result<(), CreateChildFailure> {
        self.may_rekey_ike()?;
        let chosen = ike_suite_and_spi(&cx.config.ike, request.proposals);
        let (chosen, kem, peer_spi) = chosen
            .ok_or_else(|| ChildRefusal::NoProposal(mismatch_of_ike(&cx.config.ike, request.proposals)))?;
        self.state
            .rekeys
            .may_be_followed(kem, |old| old == ReplacedSa::Ike)?;
        let answered = exchange_keys(chosen.suite.dh, request.ke, cx)?;
        let spis = IkeSpis {
            initiator: peer_spi,
            responder: cx.issue_ike_spi(self.state.spis().responder),
        };
        let nr: [u8; NONCE_LEN] = cx.random();
        let spi_octets = spis.responder.to_be_bytes();
        let answer = Proposal {
            protocol: Protocol::Ike,
            spi: &spi_octets,
            ..chosen.answer
        };
        // Beside a rekey of ours the IKE SA is in no record before it is known which of both survives: who holds the slot in its
        // SPI after a takeover does not know of it, and might show the token.
        let is_rekeying = self.state.rekeys.is_rekeying(|old| old == ReplacedSa::Ike);
        let tokens = cx.tokens.filter(|_| !is_rekeying);
        let token = tokens.map(|tokens| tokens.of(spis));
        let mut reply = vec![Payload::Sa(vec![answer]), Payload::Nonce(&nr), answered.payload()];
        reply.extend(token.as_ref().map(qcd::notification));
        let granted = Granted {
            sa: GrantedSa::Ike {
                suite: chosen.suite,
                spis,
                peer_token: None,
            },
            shared: Some(answered.shared.clone()),
            ni: request.nonce.to_vec(),
            nr: nr.to_vec(),
        };
        self.grant(arrived, granted, kem, reply, cx)
    }

    /// Whether the peer may rekey the IKE SA now.
    pub(super) fn may_rekey_ike(&self) -> Result<(), ChildRefusal> {
        // RFC 7296 sections 2.25.1 and 2.25.2.
        let is_busy = self.state.rekeys.is_rekeying(|old| old != ReplacedSa::Ike)
            || self
                .liveness
                .in_flight()
                .is_some_and(|it| matches!(it, Request::DeleteChild(_)));
        match self.is_ending() || is_busy {
            true => Err(ChildRefusal::Collision),
            false => Ok(()),
        }
    }

    /// The IKE SA with these SPIs takes this one's place as soon as the fleet knows it.
    pub(super) fn make_replacement(
        &mut self,
        arrived: Arrived<'_>,
        suite: IkeSuite,
        spis: IkeSpis,
        fresh: Fresh<'_>,
        cx: &mut Context<'_>,
    ) {
        let lowest_nonce = lowest_nonce(fresh.ni, fresh.nr);
        let terms = ReplacementTerms {
            role: Role::Responder,
            spis,
            suite,
            fresh,
            peer_token: None,
        };
        let state = self.replacement(terms, cx);
        // Both rekey it at once: which of both replacements survives is not known yet (RFC 7296 section 2.8.2).
        if self.state.rekeys.is_rekeying(|_| true) {
            self.state.note_peer_replacement(PeerReplacement {
                lowest_nonce,
                sa: ReplacementSa::Ike(Box::new(state)),
            });
            let changes = vec![self.put()];
            self.hold(arrived, changes, Made::PeerReplacement, false, cx);
            return;
        }
        let (changes, replacement) = self.replace(state, Side::Peer, cx);
        self.hold(arrived, changes, Made::Replacements(vec![replacement]), false, cx);
    }

    /// The peer begins again what it has not finished, while ours waits for that: or it could keep us from rekeying for
    /// ever.
    fn waits_to_rekey(&self) -> bool {
        self.state.rekeys.awaits_follow_up() && self.liveness.waits(|it| matches!(it, Request::Rekey(..)))
    }

    /// The IKE SA has been rekeyed, or is being deleted.
    fn is_ending(&self) -> bool {
        self.lifecycle != Lifecycle::Up || self.state.rekeys.is_replaced()
    }
}

/// Our half of a key exchange that the peer has begun, and the result.
struct KeyExchangeAnswer {
    group: DhGroup,
    public: Vec<u8>,
    shared: Secret,
}

impl KeyExchangeAnswer {
    fn payload(&self) -> Payload<'_> {
        Payload::KeyExchange(KeyExchange {
            group: self.group.id(),
            public: &self.public,
        })
    }
}

/// Answers the peer's KE, if it is for the `group` that was chosen (RFC 7296 section 1.3).
fn exchange_keys(
    group: DhGroup,
    ke: Option<KeyExchange<'_>>,
    cx: &mut Context<'_>,
) -> Result<KeyExchangeAnswer, CreateChildFailure> {
    let ke = ke.filter(|ke| ke.group == group.id());
    let ke = ke.ok_or(ChildRefusal::WrongGroup(group))?;
    let key_pair = DhKeyPair::generate(group, &mut |buffer| cx.host.fill_random(buffer));
    let public = key_pair.public().to_vec();
    let shared = key_pair
        .agree(ke.public)
        .map_err(|_| WireError::Syntax("bad public value"))?;
    Ok(KeyExchangeAnswer {
        group,
        public,
        shared,
    })
}
