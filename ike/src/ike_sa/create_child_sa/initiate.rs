//! Our own CREATE_CHILD_SA: a child SA, or this IKE SA, is replaced before it is too old.

use super::pending::{Asked, AwaitedResponse, Exchange, Subject};
use super::response::read_grant;
use crate::ike_sa::child_sas::ChildPhase;
use crate::ike_sa::commits::{Made, Then};
use crate::ike_sa::context::Context;
use crate::ike_sa::liveness::request_queue::{ReplacedSa, Request};
use crate::ike_sa::{Established, Fate};
use crate::message::channel::Exhausted;
use crate::negotiation::proposals::{esp_offer, ike_offer};
use crate::wire::{KeyExchange, Notify, NotifyType, Payload, notifications};
use crate::{DhGroup, IkeSuite};

impl Established {
    /// Makes a request, whose state the fleet has to know before it leaves. Nothing happens if the peer has been faster.
    pub(in crate::ike_sa) fn begin_rekey(
        &mut self,
        old: ReplacedSa,
        group: DhGroup,
        cx: &mut Context<'_>,
    ) -> Result<(), Exhausted> {
        let Some(subject) = self.subject_of(old, group, cx) else {
            return Ok(());
        };
        let kems = match self.state.rekeys.follows_up() {
            true => cx.config.ike.kems.clone(),
            false => Vec::new(),
        };
        let asked = Asked::new(cx.seed(), group, kems);
        let sealed = self.seal_rekey(&subject, &asked, cx.groups())?;
        self.ask_when_known(Exchange::new(subject, AwaitedResponse::Asked(asked), sealed), cx);
        Ok(())
    }

    /// The request of our exchange leaves as soon as the fleet knows of it.
    pub(super) fn ask_when_known(&mut self, exchange: Exchange, cx: &mut Context<'_>) {
        self.state.rekeys.begin(exchange);
        self.commit(vec![self.put()], Then::Ask, Made::Nothing, cx);
    }

    fn subject_of(&mut self, old: ReplacedSa, group: DhGroup, cx: &mut Context<'_>) -> Option<Subject> {
        let ike = self.state.spis().responder;
        match old {
            ReplacedSa::Child(replaces) => {
                let children = &self.state.children;
                let child = children.get(replaces)?;
                let is_wanted = match child.phase() {
                    ChildPhase::Active => children.replacement_of(replaces).is_none(),
                    ChildPhase::Lost => !children.is_made_again(child),
                    ChildPhase::Standby { .. }
                    | ChildPhase::Replaced
                    | ChildPhase::Closing
                    | ChildPhase::Retiring => false,
                };
                if !is_wanted {
                    self.state.children.forget_lost(replaces);
                    return None;
                }
                Some(Subject::Child {
                    replaces,
                    with: cx.issue_esp_spi(ike)?,
                    suite: child.suite(),
                    selectors: child.selectors().clone(),
                })
            }
            ReplacedSa::Ike => (!self.state.rekeys.is_replaced()).then(|| Subject::Ike {
                with: cx.issue_ike_spi(ike),
                suite: IkeSuite {
                    dh: group,
                    ..self.state.suite()
                },
            }),
        }
    }

    /// `groups` are those that a peer may choose from for a child SA; a wrong guess costs another exchange.
    fn seal_rekey(
        &mut self,
        subject: &Subject,
        asked: &Asked,
        groups: &[DhGroup],
    ) -> Result<(u32, Vec<u8>), Exhausted> {
        let request = Request::Rekey(subject.old(), asked.group);
        let mut groups = groups.to_vec();
        groups.retain(|group| *group != asked.group);
        groups.insert(0, asked.group);
        let (nonce, key_pair) = asked.material();
        let nonce = Payload::Nonce(&nonce);
        let ke = Payload::KeyExchange(KeyExchange {
            group: asked.group.id(),
            public: key_pair.public(),
        });
        match subject {
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
                    Payload::Sa(esp_offer(*suite, &groups, &asked.kems, &with)),
                    nonce,
                    ke,
                    Payload::TsI(selectors.local.clone()),
                    Payload::TsR(selectors.remote.clone()),
                ]);
                self.seal_request(request, &payloads)
            }
            Subject::Ike { with, suite } => {
                let with = with.to_be_bytes();
                let payloads = [Payload::Sa(ike_offer(*suite, &asked.kems, &with)), nonce, ke];
                self.seal_request(request, &payloads)
            }
        }
    }

    /// The fleet knows of the exchange: the request leaves.
    pub(in crate::ike_sa) fn ask(&mut self, cx: &mut Context<'_>) {
        if let Some(exchange) = self.state.rekeys.exchange() {
            cx.out.send(self.state.address.path(), &exchange.octets);
            let (request, octets) = (exchange.request(), exchange.octets.clone());
            self.liveness.sent(cx.now, request, exchange.message_id, octets);
        }
    }

    /// The request never left.
    pub(in crate::ike_sa) fn withdraw(&mut self, cx: &mut Context<'_>) {
        if let Some((exchange, _)) = self.state.take_exchange() {
            release_spi(&exchange.subject, cx);
            self.postpone(exchange.subject.old(), cx);
        }
    }

    /// The peer's response to the request of our exchange.
    pub(in crate::ike_sa) fn handle_rekeyed(
        &mut self,
        payloads: &[Payload<'_>],
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        let Some((exchange, peers)) = self.state.take_exchange() else {
            return Ok(Fate::Stays);
        };
        if let Some(error) = notifications(payloads).find(|it| it.kind.is_error()) {
            return Ok(self.handle_refusal(exchange, peers, error, cx));
        }
        let Exchange { subject, awaited, .. } = exchange;
        let read = match awaited {
            AwaitedResponse::Asked(asked) => match read_grant(&subject, &asked, payloads) {
                Ok((granted, Some(more))) => return self.ask_more(subject, granted, more, cx),
                Ok((granted, None)) => Ok((granted, None)),
                Err(error) => Err(error),
            },
            AwaitedResponse::Following(following) => following
                .conclude(payloads)
                .map(|secret| (following.granted, Some(secret))),
        };
        match read {
            Ok((granted, additional)) => {
                self.finish_rekey(&granted, additional.as_ref(), peers, cx);
                Ok(Fate::Stays)
            }
            Err(error) => Ok(self.handle_unusable(&subject, peers, &error, cx)),
        }
    }
}

pub(in crate::ike_sa) fn release_spi(subject: &Subject, cx: &mut Context<'_>) {
    if let Some(spi) = subject.child() {
        cx.release_esp_spi(spi);
    }
}
