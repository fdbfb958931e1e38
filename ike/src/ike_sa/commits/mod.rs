//! The commits of an IKE SA: one at a time, so that the fleet never keeps an older state than it was given.

mod rate_limit;

use std::time::Instant;

use crate::fleet::qcd::Token;
use crate::ike_sa::child_sas::Activation;
use crate::ike_sa::liveness::message_id::NextMessageId;
use crate::ike_sa::state::State;
use crate::message::inbound::Arrived;
use crate::negotiation::nat::Outer;
use crate::{CommitId, Path};
use rate_limit::RateLimit;

/// A request and a response: more are not under way at once (RFC 7296 section 2.3).
const DEFERRED: usize = 2;

/// The commit under way, what waits for its end, and how many the peer may ask for.
#[derive(Debug, Default)]
pub(super) struct Commits {
    under_way: Option<Box<UnderWay>>,
    /// Authentic datagrams, a request and a response at most, that need a commit while another is under way.
    deferred: Vec<Deferred>,
    rate_limit: RateLimit,
}

/// A datagram that came too early: its way, and its octets without non-ESP marker.
pub(crate) type Deferred = (Path, Box<[u8]>);

/// A commit under way.
#[derive(Debug)]
pub(super) struct UnderWay {
    id: CommitId,
    pub(super) then: Then,
    pub(super) made: Made,
    /// Message ID of our next request, as the commit has it.
    pub(super) next_request: NextMessageId,
}

/// What waits for the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    /// The reply to the peer's last request; the `last` one that there will be.
    Reply {
        to: Path,
        last: bool,
    },
    /// The request of our exchange.
    Ask,
}

/// What there will be if the fleet takes the commit.
#[derive(Debug)]
pub(super) enum Made {
    Nothing,
    /// Nothing new: child SAs that are there send from now on, or travel in another way.
    Changes(Before),
    /// Nothing either, since the peer has refused what we asked for: the exchange is to be forgotten.
    Refused,
    /// The peer has made an SA beside ours for the same purpose, whose fate is not known yet.
    PeerReplacement,
    /// By its inbound SPI.
    Child(u32),
    /// IKE SAs in the place of this one; the first has the child SAs.
    Replacements(Vec<Replacement>),
}

/// How it was before the child SAs were changed.
#[derive(Debug, Default)]
pub(super) struct Before {
    pub(super) activations: Vec<Activation>,
    /// How the child SAs travelled, if that has changed.
    pub(super) outer: Option<Outer>,
}

/// An IKE SA that will take the place of another.
#[derive(Debug)]
pub(super) struct Replacement {
    pub(super) state: State,
    /// When it was made.
    pub(super) made: Instant,
    /// That the peer is to be given (RFC 6290 section 4.3).
    pub(super) token: Option<Token>,
}

impl Commits {
    /// A commit was made. No other may be under way.
    pub(super) fn begin(&mut self, id: CommitId, then: Then, made: Made, next_request: NextMessageId) {
        self.under_way = Some(Box::new(UnderWay {
            id,
            then,
            made,
            next_request,
        }));
    }

    /// The one under way has ended.
    pub(super) fn end(&mut self) -> Option<UnderWay> {
        self.under_way.take().map(|under_way| *under_way)
    }

    /// The one under way.
    pub(super) fn awaited(&self) -> Option<CommitId> {
        self.under_way.as_ref().map(|under_way| under_way.id)
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    pub(super) fn holds_reply(&self) -> bool {
        self.then().is_some_and(|then| matches!(then, Then::Reply { .. }))
    }

    pub(super) fn holds_last_reply(&self) -> bool {
        self.then()
            .is_some_and(|then| matches!(then, Then::Reply { last: true, .. }))
    }

    fn then(&self) -> Option<Then> {
        self.under_way.as_ref().map(|under_way| under_way.then)
    }

    /// Whether the one under way lets a request of ours leave. Not while our last one is still to leave, nor before the fleet has
    /// what came of it: the peer answers a retransmission of its predecessor only until then. Nor once the peer has ended the IKE SA.
    pub(super) fn allow_request(&self) -> bool {
        let Some(under_way) = &self.under_way else {
            return true;
        };
        match under_way.then {
            Then::Ask => false,
            Then::Nothing => match under_way.made {
                Made::Nothing | Made::Changes(_) | Made::PeerReplacement => true,
                Made::Refused | Made::Child(_) | Made::Replacements(_) => false,
            },
            Then::Reply { last, .. } => !last,
        }
    }

    /// IKE SAs that the one under way will bring to life.
    pub(super) fn replacements(&self) -> impl Iterator<Item = &State> {
        let replacements = match self.under_way.as_deref().map(|under_way| &under_way.made) {
            Some(Made::Replacements(replacements)) => replacements.as_slice(),
            Some(
                Made::Nothing | Made::Changes(_) | Made::Refused | Made::PeerReplacement | Made::Child(_),
            )
            | None => &[],
        };
        replacements.iter().map(|replacement| &replacement.state)
    }

    /// Keeps an authentic datagram until the commit under way has ended. The peer may send it again meanwhile.
    pub(super) fn defer(&mut self, arrived: Arrived<'_>) {
        let is_kept = self
            .deferred
            .iter()
            .any(|(_, octets)| **octets == *arrived.octets);
        if !is_kept && self.deferred.len() < DEFERRED {
            self.deferred.push((arrived.path, arrived.octets.into()));
        }
    }

    /// The datagrams that may be handled now.
    pub(super) fn take_deferred(&mut self) -> Vec<Deferred> {
        match self.under_way {
            Some(_) => Vec::new(),
            None => std::mem::take(&mut self.deferred),
        }
    }

    /// Whether the peer may ask for one more change of what the fleet knows.
    pub(super) fn allow_change(&self, now: Instant) -> bool {
        self.rate_limit.allows(now)
    }

    /// The peer has asked for a change.
    pub(super) fn note_change(&mut self, now: Instant) {
        self.rate_limit.spend(now);
    }

    /// Gives the peer no new start with an IKE SA that replaces another.
    pub(super) fn inherit_limit(&mut self, replaced: &Self) {
        self.rate_limit = replaced.rate_limit;
    }
}
