//! What comes of our own rekeys: a child SA or an IKE SA, and which survives if the peer has made another for the same purpose.

use super::succession;
use crate::crypto::Fresh;
use crate::ike_sa::Established;
use crate::ike_sa::child_sas::{self, Child};
use crate::ike_sa::commits::{Made, Then};
use crate::ike_sa::context::Context;
use crate::ike_sa::create_child_sa::followup::{Granted, GrantedSa};
use crate::ike_sa::create_child_sa::pending::{Rival, RivalSa, lowest};
use crate::ike_sa::state::State;
use crate::message::channel::Role;
use crate::negotiation::child_sa::Terms;
use crate::{Change, Secret, Side};

impl Established {
    /// Makes what the peer has granted: both sides have all that its keys come of.
    pub(in crate::ike_sa) fn finish_rekey(
        &mut self,
        granted: &Granted,
        additional: Option<&Secret>,
        rival: Option<Rival>,
        cx: &mut Context<'_>,
    ) {
        self.refusals = 0;
        let fresh = granted.fresh(additional);
        match &granted.sa {
            GrantedSa::Child {
                terms,
                inbound_spi,
                replaces,
            } => self.take_child(terms, (*inbound_spi, *replaces), &fresh, rival, cx),
            GrantedSa::Ike {
                suite,
                spis,
                peer_token,
            } => {
                let agreed = succession::Agreed {
                    role: Role::Initiator,
                    spis: *spis,
                    suite: *suite,
                    fresh,
                };
                let mut ours = self.heir(&agreed, cx);
                ours.peer_token = peer_token.clone().filter(|_| cx.tokens.is_some());
                self.settle_succession(ours, &lowest(fresh.ni, fresh.nr), rival, cx);
            }
        }
    }

    fn take_child(
        &mut self,
        terms: &Terms,
        (spi, replaces): (u32, Option<u32>),
        fresh: &Fresh<'_>,
        rival: Option<Rival>,
        cx: &mut Context<'_>,
    ) {
        let rival = rival.as_ref();
        let survives = rival.is_none_or(|rival| self.survives(&lowest(fresh.ni, fresh.nr), rival));
        if let Some(replaces) = replaces {
            self.state.children.forget_lost(replaces);
        }
        // The peer may have deleted the old one meanwhile, having made another itself.
        let mut senders = [replaces, rival.and_then(Rival::child)].into_iter().flatten();
        let replaces = senders.find(|spi| self.state.children.get_mut(*spi).is_some());
        let phase = match replaces {
            _ if !survives => child_sas::Phase::Closing,
            Some(replaces) => child_sas::Phase::Standby {
                replaces,
                made_by: Side::Us,
            },
            None => child_sas::Phase::Active,
        };
        let standby = phase != child_sas::Phase::Active;
        let sa = terms.to_sa(spi, &self.state.parent(), (Side::Us, fresh), standby);
        self.state
            .children
            .push(Child::new(&sa, phase, cx.unix_seconds()));
        self.report_child(spi, replaces, Side::Us, cx.out);
        let changes = vec![Change::PutChild(Box::new(sa)), self.put()];
        self.commit(changes, Then::Nothing, Made::Child(spi), cx);
    }

    /// Compares our child SA with the one that the peer has made for the same purpose; the loser's maker deletes it (RFC
    /// 7296 section 2.8.1).
    fn survives(&mut self, ours: &[u8], rival: &Rival) -> bool {
        let survives = ours > rival.lowest.as_slice();
        if let (true, Some(spi)) = (survives, rival.child())
            && let Some(child) = self.state.children.get_mut(spi)
            && matches!(
                child.phase,
                child_sas::Phase::Standby { .. } | child_sas::Phase::Active
            )
        {
            child.enter(child_sas::Phase::Replaced);
        }
        survives
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
