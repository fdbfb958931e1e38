//! The peer's IKE_FOLLOWUP_KE: an additional key exchange behind CREATE_CHILD_SA (RFC 9370 section 2.2.4).

use std::time::Duration;

use super::answer::Failure;
use crate::ike_sa::commits::Made;
use crate::ike_sa::context::Context;
use crate::ike_sa::create_child_sa::followup::{FollowUp, Granted, GrantedSa, LINK_LEN};
use crate::ike_sa::{Established, Fate};
use crate::message::channel::Exhausted;
use crate::message::inbound::Arrived;
use crate::negotiation::additional_ke::encapsulate;
use crate::wire::{KeyExchange, Notify, NotifyType, Payload};
use crate::{ChildRefusal, Kem, Secret};

/// "After some reasonable period of time" the state is deleted: enough for several retransmissions. Our own rekeys wait as
/// long.
pub(in crate::ike_sa) const PATIENCE: Duration = Duration::from_secs(30);

impl Established {
    /// Answers CREATE_CHILD_SA with `reply`. The SA is made at once, or once the additional key exchange has followed.
    pub(in crate::ike_sa) fn grant(
        &mut self,
        arrived: Arrived<'_>,
        granted: Granted,
        kem: Option<Kem>,
        reply: Vec<Payload<'_>>,
        cx: &mut Context<'_>,
    ) -> Result<(), Failure> {
        let Some(kem) = kem else {
            self.seal_reply(arrived, &reply)?;
            self.make(arrived, granted, None, cx);
            return Ok(());
        };
        let link: [u8; LINK_LEN] = cx.random();
        let linked = Payload::Notify(Notify::new(NotifyType::ADDITIONAL_KEY_EXCHANGE, &link));
        let reply: Vec<_> = reply.into_iter().chain([linked]).collect();
        self.seal_reply(arrived, &reply)?;
        self.state.follow_up = Some(Box::new(FollowUp { link, kem, granted }));
        self.state.follows_up = true;
        self.follow_up_ends = Some(cx.now + PATIENCE);
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
    ) -> Result<(), Failure> {
        let link = NotifyType::ADDITIONAL_KEY_EXCHANGE.data_in(payloads);
        let follow_up = self.state.follow_up.take_if(|it| link == Some(&it.link));
        let FollowUp { kem, granted, .. } = *follow_up.ok_or(ChildRefusal::NothingToFollow)?;
        self.follow_up_ends = None;
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
    ) -> Result<(), Failure> {
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
            GrantedSa::Ike { suite, spis, .. } => self.make_heir(arrived, *suite, *spis, fresh, cx),
        }
    }

    /// The peer has not gone on in time, or has begun anew.
    pub(in crate::ike_sa) fn forget_follow_up(&mut self, cx: &mut Context<'_>) {
        self.follow_up_ends = None;
        let follow_up = self.state.follow_up.take();
        if let Some(spi) = follow_up.and_then(|follow_up| follow_up.granted.child()) {
            cx.release_esp_spi(spi);
        }
    }
}
