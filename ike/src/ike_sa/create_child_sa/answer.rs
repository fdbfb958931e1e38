//! The peer's CREATE_CHILD_SA: another child SA, or a new one in the place of one there is, or a new IKE SA.

use super::succession;
use crate::crypto::{DhKeyPair, Fresh};
use crate::fleet::qcd;
use crate::ike_sa::child_sas::{self, Child};
use crate::ike_sa::commits::Made;
use crate::ike_sa::context::Context;
use crate::ike_sa::create_child_sa::followup::{Granted, GrantedSa};
use crate::ike_sa::create_child_sa::pending::{NONCE_LEN, Rival, RivalSa, lowest};
use crate::ike_sa::request_queue::{Old, Request};
use crate::ike_sa::{Established, Fate, Phase};
use crate::message::channel::{Exhausted, Role};
use crate::message::inbound::Arrived;
use crate::negotiation::child_sa::{ChildRequest, Terms};
use crate::negotiation::create_child_sa::{CreateChild, Rekeyed};
use crate::negotiation::suites::ike_suite_and_spi;
use crate::wire::{KeyExchange, Payload, Proposal, Protocol, WireError};
use crate::{Change, ChildRefusal, DhGroup, IkeSpis, IkeSuite, Kem, Secret, Side};

/// Why a request is not granted.
pub(in crate::ike_sa) enum Failure {
    Refused(ChildRefusal),
    Malformed(WireError),
    Exhausted(Exhausted),
}

impl From<ChildRefusal> for Failure {
    fn from(refusal: ChildRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        Self::Malformed(error)
    }
}

impl From<Exhausted> for Failure {
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
        let is_our_turn = self.is_our_turn();
        // One at a time is enough for a peer, and all that it can make us keep.
        self.forget_follow_up(cx);
        let granted = match request.is_for_ike() {
            _ if is_our_turn => Err(ChildRefusal::Collision.into()),
            true => self.grant_ike_sa(arrived, &request, cx),
            false => self.grant_child_sa(arrived, &request, payloads, cx),
        };
        match (granted, request.rekeyed) {
            (Err(Failure::Refused(ChildRefusal::NotFound)), Some(rekeyed)) => {
                self.refuse_unknown(arrived, rekeyed, cx)
            }
            (granted, _) => self.answer_failure(arrived, granted, cx),
        }
    }

    /// Answers a request that could not be done with the reason.
    pub(in crate::ike_sa) fn answer_failure(
        &mut self,
        arrived: Arrived<'_>,
        handled: Result<(), Failure>,
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        match handled {
            Ok(()) => Ok(Fate::Stays),
            Err(Failure::Refused(refusal)) => self.refuse(arrived, refusal, cx),
            Err(Failure::Malformed(error)) => self.answer_malformed(arrived, error, cx),
            Err(Failure::Exhausted(exhausted)) => Err(exhausted),
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
        self.report(refusal, cx.out);
        let (kind, data) = refusal.notification();
        self.answer_error(arrived, kind, &data, cx)
    }

    fn grant_child_sa(
        &mut self,
        arrived: Arrived<'_>,
        request: &CreateChild<'_>,
        payloads: &[Payload<'_>],
        cx: &mut Context<'_>,
    ) -> Result<(), Failure> {
        let replaces = self.child_to_replace(request, cx)?;
        let tunnel = cx.tunnels.get(&self.state.tunnel).ok_or(ChildRefusal::NoTunnel)?;
        let agreed = ChildRequest::read(payloads)?.agree(tunnel, cx.groups(), &cx.config.ike.kems)?;
        let is_same = |old| replaces.is_some_and(|replaces| old == Old::Child(replaces));
        self.may_follow_up(agreed.kem, is_same)?;
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
        reply.extend(answered.iter().map(Answered::payload));
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
    pub(in crate::ike_sa) fn make_child(
        &mut self,
        arrived: Arrived<'_>,
        terms: &Terms,
        (spi, replaces): (u32, Option<u32>),
        fresh: &Fresh<'_>,
        cx: &mut Context<'_>,
    ) {
        let (parent, fresh_of_peer) = (self.state.parent(), (Side::Peer, fresh));
        let child = terms.to_sa(spi, &parent, fresh_of_peer, replaces.is_some());
        let phase = match replaces {
            None => child_sas::Phase::Active,
            Some(replaces) => child_sas::Phase::Standby {
                replaces,
                made_by: Side::Peer,
            },
        };
        self.state
            .children
            .push(Child::new(&child, phase, cx.unix_seconds()));
        self.report_child(spi, replaces, Side::Peer, cx.out);
        // It does rekey, if not as we asked.
        self.refusals = 0;
        if let Some(exchange) = &mut self.state.exchange
            && replaces.is_some_and(|replaces| exchange.subject.old() == Old::Child(replaces))
        {
            exchange.rival = Some(Rival {
                lowest: lowest(fresh.ni, fresh.nr),
                sa: RivalSa::Child(spi),
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
        let replaces = child.ok_or(ChildRefusal::NotFound)?.spis.inbound;
        self.may_add_child(Some(replaces))?;
        match count < 2 * max {
            true => Ok(Some(replaces)),
            false => Err(ChildRefusal::TooMany),
        }
    }

    /// Whether there may be a child SA more now, perhaps in the place of another.
    pub(in crate::ike_sa) fn may_add_child(&mut self, replaces: Option<u32>) -> Result<(), ChildRefusal> {
        // RFC 7296 section 2.25.2.
        if self.is_ending() || self.is_rekeying(|old| old == Old::Ike) {
            return Err(ChildRefusal::Collision);
        }
        let Some(replaces) = replaces else {
            return Ok(());
        };
        let child = self.state.children.get_mut(replaces);
        match child.ok_or(ChildRefusal::NotFound)?.phase {
            // RFC 7296 section 2.25.1: "currently trying to close", which the peer may be as well.
            child_sas::Phase::Closing | child_sas::Phase::Replaced => Err(ChildRefusal::Collision),
            _ => Ok(()),
        }
    }

    fn grant_ike_sa(
        &mut self,
        arrived: Arrived<'_>,
        request: &CreateChild<'_>,
        cx: &mut Context<'_>,
    ) -> Result<(), Failure> {
        self.may_rekey_ike()?;
        let chosen = ike_suite_and_spi(&cx.config.ike, request.proposals);
        let (chosen, kem, peer_spi) = chosen.ok_or(ChildRefusal::NoProposal)?;
        self.may_follow_up(kem, |old| old == Old::Ike)?;
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
        let tokens = cx.tokens.filter(|_| !self.is_rekeying(|old| old == Old::Ike));
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
    pub(in crate::ike_sa) fn may_rekey_ike(&self) -> Result<(), ChildRefusal> {
        // RFC 7296 sections 2.25.1 and 2.25.2.
        let is_busy = self.is_rekeying(|old| old != Old::Ike)
            || self
                .requests
                .in_flight()
                .is_some_and(|it| matches!(it, Request::DeleteChild(_)));
        match self.is_ending() || is_busy {
            true => Err(ChildRefusal::Collision),
            false => Ok(()),
        }
    }

    /// The IKE SA with these SPIs takes this one's place as soon as the fleet knows it.
    pub(in crate::ike_sa) fn make_heir(
        &mut self,
        arrived: Arrived<'_>,
        suite: IkeSuite,
        spis: IkeSpis,
        fresh: Fresh<'_>,
        cx: &mut Context<'_>,
    ) {
        let agreed = succession::Agreed {
            role: Role::Responder,
            spis,
            suite,
            fresh,
        };
        let heir = self.heir(&agreed, cx);
        // Both rekey it at once: which of both heirs survives is not known yet (RFC 7296 section 2.8.2).
        if let Some(exchange) = &mut self.state.exchange {
            exchange.rival = Some(Rival {
                lowest: lowest(fresh.ni, fresh.nr),
                sa: RivalSa::Ike(Box::new(heir)),
            });
            let changes = vec![self.put()];
            self.hold(arrived, changes, Made::Rival, false, cx);
            return;
        }
        let (changes, heir) = self.succession(heir, Side::Peer, cx);
        self.hold(arrived, changes, Made::Heirs(vec![heir]), false, cx);
    }

    /// The peer begins anew with what it has not finished, while ours waits for that: or it could keep us from rekeying for
    /// ever.
    fn is_our_turn(&self) -> bool {
        self.state.follow_up.is_some() && self.requests.waits(|it| matches!(it, Request::Rekey(..)))
    }

    /// Rekeys with additional key exchanges do not cross: while one of ours `is_same` the peer has to wait, be it the peer's or
    /// ours that takes more than one exchange.
    fn may_follow_up(&self, kem: Option<Kem>, is_same: impl Fn(Old) -> bool) -> Result<(), ChildRefusal> {
        let ours = self.state.exchange.as_ref();
        let ours = ours.filter(|exchange| is_same(exchange.subject.old()));
        match ours.is_some_and(|exchange| kem.is_some() || exchange.may_follow_up()) {
            true => Err(ChildRefusal::Collision),
            false => Ok(()),
        }
    }

    /// The IKE SA has been rekeyed, or is being deleted.
    fn is_ending(&self) -> bool {
        self.phase != Phase::Up || self.state.replaced.is_some()
    }

    /// Our rekey of what `is_it` is under way.
    fn is_rekeying(&self, is_it: impl Fn(Old) -> bool) -> bool {
        let exchange = self.state.exchange.as_ref();
        exchange.is_some_and(|exchange| is_it(exchange.subject.old()))
    }
}

/// Our half of a key exchange that the peer has begun, and the result.
struct Answered {
    group: DhGroup,
    public: Vec<u8>,
    shared: Secret,
}

impl Answered {
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
) -> Result<Answered, Failure> {
    let ke = ke.filter(|ke| ke.group == group.id());
    let ke = ke.ok_or(ChildRefusal::WrongGroup(group))?;
    let key_pair = DhKeyPair::generate(group, &mut |buffer| cx.host.fill_random(buffer));
    let public = key_pair.public().to_vec();
    let shared = key_pair
        .agree(ke.public)
        .map_err(|_| WireError::Syntax("bad public value"))?;
    Ok(Answered {
        group,
        public,
        shared,
    })
}
