//! The peer's IKE_FOLLOWUP_KE: an additional key exchange behind CREATE_CHILD_SA (RFC 9370 section 2.2.4).

use super::answer::CreateChildFailure;
use super::followup::{FollowUp, Granted, GrantedSa, LINK_LEN};
use crate::ike_sa::commits::Made;
use crate::ike_sa::context::Context;
use crate::ike_sa::{Established, Fate};
use crate::message::channel::Exhausted;
use crate::message::inbound::Arrived;
use crate::negotiation::additional_ke::encapsulate;
use crate::wire::{KeyExchange, Notify, NotifyType, Payload};
use crate::{ChildRefusal, Kem, Secret};

impl Established {
    /// Answers CREATE_CHILD_SA with `reply`. The SA is made at once, or once the additional key exchange has followed.
    pub(super) fn grant(
        &mut self,
        arrived: Arrived<'_>,
        granted: Granted,
        kem: Option<Kem>,
        reply: Vec<Payload<'_>>,
        cx: &mut Context<'_>,
    ) -> Result<(), CreateChildFailure> {
        let Some(kem) = kem else {
            self.seal_reply(arrived, &reply)?;
            self.make(arrived, granted, None, cx);
            return Ok(());
        };
        let link: [u8; LINK_LEN] = cx.random();
        let linked = Payload::Notify(Notify::new(NotifyType::ADDITIONAL_KEY_EXCHANGE, &link));
        let reply: Vec<_> = reply.into_iter().chain([linked]).collect();
        self.seal_reply(arrived, &reply)?;
        let follow_up = FollowUp { link, kem, granted };
        self.rekeying
            .await_follow_up(&mut self.state.rekeys, follow_up, cx.now);
        let changes = vec![self.put()];
        self.hold(arrived, changes, Made::Nothing, false, cx);
        Ok(())
    }

    pub(in crate::ike_sa) fn answer_follow_up(
        &mut self,
        arrived: Arrived<'_>,
        payloads: &[Payload<'_>],
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        let followed = self.follow_up(arrived, payloads, cx);
        self.answer_failure(arrived, followed, cx)
    }

    fn follow_up(
        &mut self,
        arrived: Arrived<'_>,
        payloads: &[Payload<'_>],
        cx: &mut Context<'_>,
    ) -> Result<(), CreateChildFailure> {
        let link = NotifyType::ADDITIONAL_KEY_EXCHANGE.data_in(payloads);
        let follow_up = link.and_then(|link| self.rekeying.take_linked(&mut self.state.rekeys, link));
        let FollowUp { kem, granted, .. } = follow_up.ok_or(ChildRefusal::NothingToFollow)?;
        let child = granted.child();
        let followed = self.exchange_more(arrived, granted, kem, payloads, cx);
        if let (Err(_), Some(spi)) = (&followed, child) {
            cx.release_esp_spi(spi);
        }
        followed
    }

    fn exchange_more(
        &mut self,
        arrived: Arrived<'_>,
        granted: Granted,
        kem: Kem,
        payloads: &[Payload<'_>],
        cx: &mut Context<'_>,
    ) -> Result<(), CreateChildFailure> {
        // The peer may have done something else in between.
        match granted.sa {
            GrantedSa::Child { replaces, .. } => self.may_add_child(replaces)?,
            GrantedSa::Ike { .. } => self.may_rekey_ike()?,
        }
        let ours = encapsulate(kem, payloads)?;
        let reply = Payload::KeyExchange(KeyExchange {
            group: kem.id(),
            public: &ours.ciphertext,
        });
        self.seal_reply(arrived, &[reply])?;
        self.make(arrived, granted, Some(&ours.secret), cx);
        Ok(())
    }

    /// Makes what was granted: both sides have all that its keys come of.
    fn make(
        &mut self,
        arrived: Arrived<'_>,
        granted: Granted,
        additional: Option<&Secret>,
        cx: &mut Context<'_>,
    ) {
        let fresh = granted.fresh(additional);
        match &granted.sa {
            GrantedSa::Child {
                terms,
                inbound_spi,
                replaces,
            } => self.make_child(arrived, terms, (*inbound_spi, *replaces), &fresh, cx),
            GrantedSa::Ike { suite, spis, .. } => self.make_replacement(arrived, *suite, *spis, fresh, cx),
        }
    }

    /// The peer has not gone on in time, or has begun again.
    pub(in crate::ike_sa) fn forget_follow_up(&mut self, cx: &mut Context<'_>) {
        let follow_up = self.rekeying.take_follow_up(&mut self.state.rekeys);
        if let Some(spi) = follow_up.and_then(|follow_up| follow_up.granted.child()) {
            cx.release_esp_spi(spi);
        }
    }
}
