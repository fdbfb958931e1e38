//! From an IKE SA to the one that rekeys it (RFC 7296 sections 2.8 and 2.18).

use crate::crypto::{Fresh, IkeKeys};
use crate::ike_sa::Established;
use crate::ike_sa::commits::Replacement;
use crate::ike_sa::context::Context;
use crate::ike_sa::state::State;
use crate::message::channel::{Channel, Role};
use crate::{Change, ChildUpdate, IkeSpis, IkeSuite, Secret, Side, What};

/// What both sides have agreed on for an IKE SA that rekeys another.
pub(super) struct ReplacementTerms<'a> {
    /// Ours in the exchange.
    pub(super) role: Role,
    pub(super) spis: IkeSpis,
    pub(super) suite: IkeSuite,
    pub(super) fresh: Fresh<'a>,
    /// That the peer has given for it (RFC 6290 section 4.3).
    pub(super) peer_token: Option<Secret>,
}

impl Established {
    /// The IKE SA that is to take this one's place, with keys and message counters of its own.
    pub(super) fn replacement(&self, terms: ReplacementTerms<'_>, cx: &Context<'_>) -> State {
        let ReplacementTerms {
            role,
            spis,
            suite,
            fresh,
            peer_token,
        } = terms;
        let keys = IkeKeys::rekey(
            (self.state.suite().prf, self.state.sk_d()),
            suite,
            &fresh,
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
        let peer_token = peer_token.filter(|_| cx.tokens.is_some());
        self.state
            .replacement(suite, keys, channel, cx.unix_seconds(), peer_token)
    }

    /// What the fleet has to know so that an IKE SA with this `state` takes this one's place, of which `deleter` is to delete what
    /// is left. The child SAs follow when the fleet knows.
    pub(in crate::ike_sa) fn replace(
        &mut self,
        mut state: State,
        deleter: Side,
        cx: &mut Context<'_>,
    ) -> (Vec<Change>, Replacement) {
        let (spis, by) = (state.spis(), deleter);
        let rekeyed = What::IkeRekeyed {
            replacement: spis,
            by,
        };
        self.report(rekeyed, cx.out);
        // Who has begun a rekey gives its token in an exchange of its own (RFC 6290 section 4.3). Not if it was the owner before:
        // who has held its slot since, this very edge perhaps, did not know of the SPI, and may have shown the token.
        let is_ours = by == Side::Us && !self.rekeying.was_promised_before(spis.responder);
        let token = cx.tokens.filter(|_| is_ours).map(|tokens| tokens.of(spis));
        // The records of both are those of the time after.
        std::mem::swap(&mut state.children, &mut self.state.children);
        let mut changes = vec![Change::PutIke(state.record(false))];
        changes.extend(state.children.installed().map(|inbound_spi| Change::UpdateChild {
            inbound_spi,
            update: ChildUpdate::MoveTo(spis),
        }));
        self.state.rekeys.replace(deleter);
        changes.push(self.put());
        std::mem::swap(&mut state.children, &mut self.state.children);
        let made = cx.now;
        (changes, Replacement { state, made, token })
    }
}
