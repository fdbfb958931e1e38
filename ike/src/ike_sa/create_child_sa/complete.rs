//! What comes of our own rekeys: a child SA or an IKE SA, and which survives if the peer has made another for the same purpose.

use super::followup::{Granted, GrantedSa};
use super::pending::lowest_nonce;
use super::replacement::ReplacementTerms;
use crate::crypto::Fresh;
use crate::ike_sa::Established;
use crate::ike_sa::child_sas::{Child, ChildPhase};
use crate::ike_sa::commits::{Made, Replacement, Then};
use crate::ike_sa::context::Context;
use crate::ike_sa::state::{PeerReplacement, ReplacementSa, State};
use crate::message::channel::Role;
use crate::negotiation::child_sa::ChildTerms;
use crate::{Change, Secret, Side};

impl Established {
    /// Makes what the peer has granted: both sides have all that its keys come of.
    pub(super) fn finish_rekey(
        &mut self,
        granted: &Granted,
        additional: Option<&Secret>,
        peers: Option<PeerReplacement>,
        cx: &mut Context<'_>,
    ) {
        self.rekeying.handle_accepted();
        let fresh = granted.fresh(additional);
        match &granted.sa {
            GrantedSa::Child {
                terms,
                inbound_spi,
                replaces,
            } => self.take_child(terms, (*inbound_spi, *replaces), &fresh, peers, cx),
            GrantedSa::Ike {
                suite,
                spis,
                peer_token,
            } => {
                let lowest_nonce = lowest_nonce(fresh.ni, fresh.nr);
                let terms = ReplacementTerms {
                    role: Role::Initiator,
                    spis: *spis,
                    suite: *suite,
                    fresh,
                    peer_token: peer_token.clone(),
                };
                let ours = self.replacement(terms, cx);
                self.take_replacement(ours, &lowest_nonce, peers, cx);
            }
        }
    }

    fn take_child(
        &mut self,
        terms: &ChildTerms,
        (spi, replaces): (u32, Option<u32>),
        fresh: &Fresh<'_>,
        peers: Option<PeerReplacement>,
        cx: &mut Context<'_>,
    ) {
        let peers = peers.as_ref();
        let survives = peers.is_none_or(|peers| self.survives(&lowest_nonce(fresh.ni, fresh.nr), peers));
        if let Some(replaces) = replaces {
            self.state.children.forget_lost(replaces);
        }
        // The peer may have deleted the old one meanwhile, having made another itself.
        let mut senders = [replaces, peers.and_then(PeerReplacement::child)]
            .into_iter()
            .flatten();
        let replaces = senders.find(|spi| self.state.children.get(*spi).is_some());
        let phase = match replaces {
            _ if !survives => ChildPhase::Closing,
            Some(replaces) => ChildPhase::Standby {
                replaces,
                made_by: Side::Us,
            },
            None => ChildPhase::Active,
        };
        let standby = phase != ChildPhase::Active;
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
    fn survives(&mut self, ours: &[u8], peers: &PeerReplacement) -> bool {
        let survives = ours > peers.lowest_nonce.as_slice();
        if let (true, Some(spi)) = (survives, peers.child()) {
            self.state.children.supersede(spi);
        }
        survives
    }

    /// The survivor of both replacements, if there are two, inherits; the other is deleted by who made it (RFC 7296 section
    /// 2.8.2).
    fn take_replacement(
        &mut self,
        ours: State,
        lowest_nonce: &[u8],
        peers: Option<PeerReplacement>,
        cx: &mut Context<'_>,
    ) {
        let theirs = match peers {
            Some(PeerReplacement {
                lowest_nonce,
                sa: ReplacementSa::Ike(state),
            }) => Some((lowest_nonce, *state)),
            Some(PeerReplacement {
                sa: ReplacementSa::Child(_),
                ..
            })
            | None => None,
        };
        let (survivor, by, redundant) = match theirs {
            None => (ours, Side::Us, None),
            Some((theirs, state)) if lowest_nonce > theirs.as_slice() => {
                (ours, Side::Us, Some((state, Side::Peer)))
            }
            Some((_, state)) => (state, Side::Peer, Some((ours, Side::Us))),
        };
        let (mut changes, replacement) = self.replace(survivor, by, cx);
        let mut replacements = vec![replacement];
        if let Some((mut state, maker)) = redundant {
            state.rekeys.replace(maker);
            changes.push(Change::PutIke(state.record(false)));
            replacements.push(Replacement {
                state,
                made: cx.now,
                token: None,
            });
        }
        self.commit(changes, Then::Nothing, Made::Replacements(replacements), cx);
    }
}
