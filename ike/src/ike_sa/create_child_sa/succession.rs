//! From an IKE SA to the one that rekeys it (RFC 7296 sections 2.8 and 2.18).

use crate::crypto::{Fresh, IkeKeys};
use crate::ike_sa::Established;
use crate::ike_sa::context::Context;
use crate::ike_sa::request_queue::Request;
use crate::ike_sa::state::State;
use crate::message::channel::{Channel, Role};
use crate::{Change, ChildUpdate, IkeSpis, IkeSuite, Side, What};

/// What both sides have agreed on for an IKE SA that rekeys another.
pub(in crate::ike_sa) struct Agreed<'a> {
    /// Ours in the exchange.
    pub(in crate::ike_sa) role: Role,
    pub(in crate::ike_sa) spis: IkeSpis,
    pub(in crate::ike_sa) suite: IkeSuite,
    pub(in crate::ike_sa) fresh: Fresh<'a>,
}

impl Established {
    /// The IKE SA that is to take this one's place, with keys and message counters of its own.
    pub(in crate::ike_sa) fn heir(&self, agreed: &Agreed<'_>, cx: &Context<'_>) -> State {
        let Agreed {
            role, spis, suite, ..
        } = *agreed;
        let keys = IkeKeys::rekey(
            (self.state.suite.prf, &self.state.sk_d),
            suite,
            &agreed.fresh,
            role.swap(spis),
        );
        let channel = Channel::new(
            spis,
            role,
            suite.cipher,
            self.state.channel.longest,
            (keys.sk_ei.clone(), keys.sk_er.clone()),
            cx.config.incarnation,
        );
        self.state.heir(suite, keys, channel, cx.unix_seconds())
    }

    /// What the fleet has to know so that `heir` takes this one's place, of which `deleter` is to delete what is left.
    /// The child SAs follow when the fleet knows.
    pub(in crate::ike_sa) fn succession(
        &mut self,
        heir: State,
        deleter: Side,
        cx: &mut Context<'_>,
    ) -> (Vec<Change>, Established) {
        let by = deleter;
        let spis = heir.spis();
        self.report(What::IkeRekeyed { heir: spis, by }, cx.out);
        let mut heir = Established::new(heir, cx.now);
        // Who has begun a rekey gives its token in an exchange of its own (RFC 6290 section 4.3). Not if it was the owner before:
        // who has held its slot since, this very edge perhaps, did not know of the SPI, and may have shown the token.
        let is_inherited = self.inherited.contains(&spis.responder);
        if let (Side::Us, false, Some(tokens)) = (by, is_inherited, cx.tokens) {
            heir.requests.push(Request::GiveToken(tokens.of(spis)));
        }
        heir.state.children = std::mem::take(&mut self.state.children);
        let mut changes = vec![heir.put()];
        changes.extend(heir.state.children.installed().map(|child| Change::UpdateChild {
            inbound_spi: child.spis.inbound,
            update: ChildUpdate::MoveTo(spis),
        }));
        self.state.replaced = Some(deleter);
        changes.push(self.put());
        self.state.children = std::mem::take(&mut heir.state.children);
        (changes, heir)
    }

    /// Our SPIs of the IKE SAs that a rekey under way may make: the peer may have one already.
    pub(crate) fn promised_spis(&self) -> impl Iterator<Item = u64> {
        let exchange = self.state.exchange.iter();
        let follow_up = self.state.follow_up.iter();
        self.pending_heirs()
            .map(|heir| heir.state.spis().responder)
            .chain(exchange.flat_map(|exchange| exchange.promised_spis()))
            .chain(follow_up.filter_map(|follow_up| follow_up.granted.ike()))
    }

    /// The fleet knows the heirs: the first gets the child SAs, and what is still to be asked about them. None gives the peer
    /// a new start.
    pub(in crate::ike_sa) fn bequeath(&mut self, heirs: &mut [Established]) {
        heirs.iter_mut().for_each(|heir| heir.pace = self.pace);
        if let Some(heir) = heirs.first_mut() {
            heir.state.children = std::mem::take(&mut self.state.children);
            heir.requests.adopt(&mut self.requests);
            heir.redirect = self.redirect.take();
        }
        self.until = None;
    }
}
