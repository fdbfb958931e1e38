//! Our own CREATE_CHILD_SA: a child SA, or this IKE SA, is replaced before it is too old.

use super::commits::{Made, Then};
use super::{Established, Fate, succession};
use crate::channel::{Exhausted, Role};
use crate::child::Terms;
use crate::children::{self, Child};
use crate::context::Context;
use crate::create_child::CreateChild;
use crate::crypto::Fresh;
use crate::exchange::{Exchange, Rival, RivalSa, Subject, lowest};
use crate::narrow::{Selectors, narrow};
use crate::offer::{esp_offer, ike_offer, taken};
use crate::qcd;
use crate::requests::Old;
use crate::select::{esp_spi, ike_spi};
use crate::snapshot::State;
use crate::wire::{KeyExchange, Notify, NotifyType, Payload, WireError};
use crate::{Change, DhGroup, Ending, IkeSpis, IkeSuite, Secret, Side};

impl Established {
    /// Makes a request, whose state the fleet has to know before it leaves. Nothing happens if the peer has been faster.
    pub(super) fn begin_rekey(
        &mut self,
        old: Old,
        group: DhGroup,
        cx: &mut Context<'_>,
    ) -> Result<(), Exhausted> {
        let Some(subject) = self.subject_of(old, group, cx) else {
            return Ok(());
        };
        let mut exchange = Exchange::new(subject, group, cx.seed());
        let (message_id, octets) = self.seal_rekey(&exchange, cx.groups())?;
        (exchange.message_id, exchange.octets) = (message_id, octets);
        self.state.exchange = Some(Box::new(exchange));
        self.commit(vec![self.put()], Then::Ask, Made::Nothing, cx);
        Ok(())
    }

    fn subject_of(&mut self, old: Old, group: DhGroup, cx: &mut Context<'_>) -> Option<Subject> {
        let ike = self.state.spis().responder;
        match old {
            Old::Child(replaces) => {
                let children = &self.state.children;
                let child = children.get(replaces)?;
                let is_wanted = match child.phase {
                    children::Phase::Active => children.successor_of(replaces).is_none(),
                    children::Phase::Lost => !children.is_made_anew(child),
                    _ => false,
                };
                if !is_wanted {
                    self.state.children.forget_lost(replaces);
                    return None;
                }
                Some(Subject::Child {
                    replaces,
                    with: cx.issue_esp_spi(ike)?,
                    suite: child.suite,
                    selectors: child.selectors.clone(),
                })
            }
            Old::Ike => self.state.replaced.is_none().then(|| Subject::Ike {
                with: cx.issue_ike_spi(ike),
                suite: IkeSuite {
                    dh: group,
                    ..self.state.suite
                },
            }),
        }
    }

    /// `groups` are those that a peer may choose from for a child SA; a wrong guess costs another exchange.
    fn seal_rekey(&mut self, exchange: &Exchange, groups: &[DhGroup]) -> Result<(u32, Vec<u8>), Exhausted> {
        let mut groups = groups.to_vec();
        groups.retain(|group| *group != exchange.group);
        groups.insert(0, exchange.group);
        let (nonce, key_pair) = exchange.material();
        let nonce = Payload::Nonce(&nonce);
        let ke = Payload::KeyExchange(KeyExchange {
            group: exchange.group.id(),
            public: key_pair.public(),
        });
        match &exchange.subject {
            Subject::Child {
                replaces,
                with,
                suite,
                selectors,
            } => {
                let rekeyed = (!self.state.children.is_lost(*replaces)).then(|| replaces.to_be_bytes());
                let rekeyed = rekeyed
                    .as_ref()
                    .map(|spi| Payload::Notify(Notify::about_child(NotifyType::REKEY_SA, spi)));
                let with = with.to_be_bytes();
                let mut payloads: Vec<_> = rekeyed.into_iter().collect();
                payloads.extend([
                    Payload::Sa(esp_offer(*suite, &groups, &with)),
                    nonce,
                    ke,
                    Payload::TsI(selectors.local.clone()),
                    Payload::TsR(selectors.remote.clone()),
                ]);
                self.seal_request(exchange.request(), &payloads)
            }
            Subject::Ike { with, suite } => {
                let with = with.to_be_bytes();
                let payloads = [Payload::Sa(ike_offer(*suite, &with)), nonce, ke];
                self.seal_request(exchange.request(), &payloads)
            }
        }
    }

    /// The fleet knows of the exchange: the request leaves.
    pub(super) fn ask(&mut self, cx: &mut Context<'_>) {
        if let Some(exchange) = &self.state.exchange {
            cx.out.send(self.state.path, &exchange.octets);
            let (request, octets) = (exchange.request(), exchange.octets.clone());
            self.requests.sent(cx.now, request, exchange.message_id, octets);
        }
    }

    /// The request never left, so that its message ID is free again.
    pub(super) fn withdraw(&mut self, cx: &mut Context<'_>) {
        if let Some(exchange) = self.state.exchange.take() {
            self.state.next_request = exchange.message_id;
            release_spi(&exchange.subject, cx);
            self.postpone(exchange.subject.old(), cx);
        }
    }

    /// The peer's response to our exchange.
    pub(super) fn handle_rekeyed(&mut self, payloads: &[Payload<'_>], cx: &mut Context<'_>) -> Fate {
        let Some(mut exchange) = self.state.exchange.take() else {
            return Fate::Stays;
        };
        let rival = exchange.rival.take();
        if let Some(error) = payloads.iter().find_map(error_of) {
            return self.handle_refusal(&exchange, rival, error, cx);
        }
        let taken = match &exchange.subject {
            Subject::Child { .. } => self.take_child(&exchange, payloads, rival, cx),
            Subject::Ike { .. } => self.take_heir(&exchange, payloads, rival, cx),
        };
        match taken {
            Ok(()) => {
                self.refusals = 0;
                Fate::Stays
            }
            Err(error) => self.end(Ending::Malformed(error.to_string()), cx),
        }
    }

    fn take_child(
        &mut self,
        exchange: &Exchange,
        payloads: &[Payload<'_>],
        rival: Option<Rival>,
        cx: &mut Context<'_>,
    ) -> Result<(), WireError> {
        let Subject::Child {
            replaces,
            with,
            suite,
            selectors,
        } = &exchange.subject
        else {
            return Ok(());
        };
        let response = CreateChild::read(payloads)?;
        let spi = with.to_be_bytes();
        // With another group it would have been INVALID_KE_PAYLOAD.
        let offer = esp_offer(*suite, &[exchange.group], &spi);
        let answer = taken(&offer, response.proposals).ok_or(NOT_OFFERED)?;
        let outbound_spi = response.proposals.first().and_then(esp_spi).ok_or(NOT_OFFERED)?;
        let with_group = answer.transforms.len() > offer[1].transforms.len();
        let (ni, shared) = conclude(exchange, &response, with_group)?;
        let terms = Terms {
            suite: *suite,
            outbound_spi,
            selectors: answered_selectors(payloads, selectors)?,
        };
        let fresh = Fresh {
            shared: shared.as_ref(),
            ni: &ni,
            nr: response.nonce,
            additional: None,
        };
        let rival = rival.as_ref();
        let survives = rival.is_none_or(|rival| self.survives(&lowest(&ni, response.nonce), rival));
        self.state.children.forget_lost(*replaces);
        // The peer may have deleted the old one meanwhile, having made another itself.
        let mut senders = [Some(*replaces), rival.and_then(Rival::child)]
            .into_iter()
            .flatten();
        let replaces = senders.find(|spi| self.state.children.get_mut(*spi).is_some());
        let phase = match replaces {
            _ if !survives => children::Phase::Closing,
            Some(replaces) => children::Phase::Standby {
                replaces,
                made_by: Side::Us,
            },
            None => children::Phase::Active,
        };
        let standby = phase != children::Phase::Active;
        let sa = terms.to_sa(*with, &self.state.parent(), (Side::Us, &fresh), standby);
        self.state
            .children
            .push(Child::new(&sa, phase, cx.unix_seconds()));
        self.report_child(*with, replaces, Side::Us, cx.out);
        let changes = vec![Change::PutChild(Box::new(sa)), self.put()];
        self.commit(changes, Then::Nothing, Made::Child(*with), cx);
        Ok(())
    }

    /// Compares our child SA with the one that the peer has made for the same purpose; the loser's maker deletes it (RFC
    /// 7296 section 2.8.1).
    fn survives(&mut self, ours: &[u8], rival: &Rival) -> bool {
        let survives = ours > rival.lowest.as_slice();
        if let (true, Some(spi)) = (survives, rival.child())
            && let Some(child) = self.state.children.get_mut(spi)
            && matches!(
                child.phase,
                children::Phase::Standby { .. } | children::Phase::Active
            )
        {
            child.enter(children::Phase::Replaced);
        }
        survives
    }

    fn take_heir(
        &mut self,
        exchange: &Exchange,
        payloads: &[Payload<'_>],
        rival: Option<Rival>,
        cx: &mut Context<'_>,
    ) -> Result<(), WireError> {
        let Subject::Ike { with, suite } = &exchange.subject else {
            return Ok(());
        };
        let response = CreateChild::read(payloads)?;
        let spi = with.to_be_bytes();
        let offer = ike_offer(*suite, &spi);
        taken(&offer, response.proposals).ok_or(NOT_OFFERED)?;
        let peer_spi = response.proposals.first().and_then(ike_spi).ok_or(NOT_OFFERED)?;
        let (ni, shared) = conclude(exchange, &response, true)?;
        let spis = IkeSpis {
            initiator: peer_spi,
            responder: *with,
        };
        let agreed = succession::Agreed {
            role: Role::Initiator,
            spis,
            suite: *suite,
            fresh: Fresh {
                shared: shared.as_ref(),
                ni: &ni,
                nr: response.nonce,
                additional: None,
            },
        };
        let mut ours = self.heir(&agreed, cx);
        ours.peer_token = qcd::given(payloads).filter(|_| cx.tokens.is_some());
        self.settle_succession(ours, &lowest(&ni, response.nonce), rival, cx);
        Ok(())
    }

    /// The survivor of both heirs, if there are two, inherits; the other is deleted by who made it (RFC 7296 section
    /// 2.8.2).
    fn settle_succession(&mut self, ours: State, lowest: &[u8], rival: Option<Rival>, cx: &mut Context<'_>) {
        let theirs = match rival {
            Some(Rival {
                lowest,
                sa: RivalSa::Ike(heir),
            }) => Some((lowest, heir)),
            _ => None,
        };
        let (survivor, by, mut loser) = match theirs {
            None => (ours, Side::Us, None),
            Some((theirs, heir)) if lowest > theirs.as_slice() => (ours, Side::Us, Some((*heir, Side::Peer))),
            Some((_, heir)) => (*heir, Side::Peer, Some((ours, Side::Us))),
        };
        let (mut changes, heir) = self.succession(survivor, by, cx);
        let mut heirs = vec![heir];
        if let Some((mut state, maker)) = loser.take() {
            state.replaced = Some(maker);
            changes.push(Change::PutIke(state.record(false)));
            heirs.push(Established::new(state, cx.now));
        }
        self.commit(changes, Then::Nothing, Made::Heirs(heirs), cx);
    }
}

const NOT_OFFERED: WireError = WireError::Syntax("an answer to another offer");

/// Our nonce, and the result of the key exchange if there is one.
fn conclude(
    exchange: &Exchange,
    response: &CreateChild<'_>,
    with_group: bool,
) -> Result<(Vec<u8>, Option<Secret>), WireError> {
    let (ni, key_pair) = exchange.material();
    if !with_group {
        return Ok((ni.to_vec(), None));
    }
    let ke = response.ke.filter(|ke| ke.group == exchange.group.id());
    let ke = ke.ok_or(WireError::Syntax("no KE payload for the group"))?;
    let shared = key_pair.agree(ke.public);
    let shared = shared.map_err(|_| WireError::Syntax("bad public value"))?;
    Ok((ni.to_vec(), Some(shared)))
}

/// The peer may narrow what we offer (RFC 7296 section 2.9), and not widen it. TSi is our side here.
fn answered_selectors(payloads: &[Payload<'_>], offered: &Selectors) -> Result<Selectors, WireError> {
    let mut answered = Selectors {
        local: Vec::new(),
        remote: Vec::new(),
    };
    for payload in payloads {
        match payload {
            Payload::TsI(selectors) => answered.local.clone_from(selectors),
            Payload::TsR(selectors) => answered.remote.clone_from(selectors),
            _ => {}
        }
    }
    narrow(&answered, offered)
        .filter(|common| *common == answered)
        .ok_or(WireError::Syntax("traffic selectors beyond the offer"))
}

fn error_of<'p, 'a>(payload: &'p Payload<'a>) -> Option<&'p Notify<'a>> {
    match payload {
        Payload::Notify(notify) if notify.kind.is_error() => Some(notify),
        _ => None,
    }
}

pub(super) fn release_spi(subject: &Subject, cx: &mut Context<'_>) {
    if let Some(spi) = subject.child() {
        cx.release_esp_spi(spi);
    }
}
