//! An established IKE SA: the peer's requests, our own, and its end.

mod own_requests;
mod peer_requests;

use std::time::{Duration, Instant};

use crate::channel::Exhausted;
use crate::fragments::Assembly;
use crate::outbox::Outbox;
use crate::requests::{Due, Request, Requests};
use crate::snapshot::State;
use crate::wire::Message;
use crate::{Change, CommitId, Dropped, Ending, Limits, Path, What};

/// How long retransmissions are answered after the end. RFC 7296 section 2.1 allows to forget after minutes.
const LINGER: Duration = Duration::from_secs(60);

/// An IKE SA after IKE_AUTH, until nothing is left of it to say.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) state: State,
    requests: Requests,
    /// False from a restore until the peer answers: the requests that the previous owner sent since its last commit
    /// are not counted in the snapshot, so the peer may expect a higher message ID.
    in_step: bool,
    last_heard: Instant,
    phase: Phase,
    /// Of the peer's request and of its response.
    requested: Assembly,
    responded: Assembly,
}

#[derive(Debug)]
enum Phase {
    Up,
    /// The reply to the peer's last request waits for the fleet.
    Held {
        commit: CommitId,
        reply_to: Path,
        last: bool,
    },
    /// The fleet has dropped it, and we tell the peer.
    Leaving,
    /// The peer knows that it has ended; retransmissions are answered until then.
    Left {
        until: Instant,
    },
}

/// What becomes of the IKE SA after it has handled something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Stays,
    /// It stays, without the child SAs of these inbound SPIs.
    LosesChildren(Vec<u32>),
    Gone,
}

/// A datagram from the peer.
#[derive(Clone, Copy)]
pub(crate) struct Arrived<'a> {
    pub(crate) now: Instant,
    pub(crate) path: Path,
    pub(crate) message: &'a Message<'a>,
    /// The whole message without non-ESP marker.
    pub(crate) octets: &'a [u8],
}

impl Established {
    pub(crate) fn new(state: State, now: Instant) -> Self {
        Self {
            state,
            requests: Requests::default(),
            in_step: true,
            last_heard: now,
            phase: Phase::Up,
            requested: Assembly::default(),
            responded: Assembly::default(),
        }
    }

    pub(crate) fn restored(state: State, now: Instant) -> Self {
        Self {
            in_step: false,
            ..Self::new(state, now)
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let due = match self.phase {
            Phase::Left { until } => Some(until),
            Phase::Up if self.requests.is_idle() => Some(self.last_heard + limits.dpd_interval),
            Phase::Up | Phase::Held { .. } | Phase::Leaving => self.requests.deadline(),
        };
        let fragments = [self.requested.ends(), self.responded.ends()];
        fragments.into_iter().chain([due]).flatten().min()
    }

    /// The commit that a reply waits for.
    pub(crate) fn awaited_commit(&self) -> Option<CommitId> {
        match self.phase {
            Phase::Held { commit, .. } => Some(commit),
            _ => None,
        }
    }

    pub(crate) fn handle_message(&mut self, arrived: Arrived<'_>, out: &mut Outbox) -> Fate {
        let handled = match arrived.message.header.flags.response {
            true => self.handle_response(arrived, out),
            false => self.handle_request(arrived, out),
        };
        handled.unwrap_or_else(|Exhausted| self.end(Ending::Exhausted, out))
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, limits: &Limits, out: &mut Outbox) -> Fate {
        self.requested.expire(now);
        self.responded.expire(now);
        let handled = match self.phase {
            Phase::Left { until } if until <= now => Ok(Fate::Gone),
            Phase::Left { .. } => Ok(Fate::Stays),
            Phase::Up | Phase::Held { .. } | Phase::Leaving => self.handle_due(now, limits, out),
        };
        handled.unwrap_or_else(|Exhausted| self.end(Ending::Exhausted, out))
    }

    fn handle_due(&mut self, now: Instant, limits: &Limits, out: &mut Outbox) -> Result<Fate, Exhausted> {
        match self.requests.due(now) {
            Due::GiveUp(Request::DeleteIke) => return Ok(Fate::Gone),
            Due::GiveUp(_) if self.in_step => return Ok(self.end(Ending::PeerDead, out)),
            // It may have been too old a message ID that the peer ignored: no proof of death.
            Due::GiveUp(_) => {
                self.report(What::SilentSinceRestore, out);
                self.last_heard = now;
            }
            Due::Retransmit => self.retransmit(now, out)?,
            Due::Nothing => {
                let silent = self.last_heard + limits.dpd_interval <= now;
                if silent && self.requests.is_idle() && matches!(self.phase, Phase::Up) {
                    self.requests.push(Request::Probe);
                }
            }
        }
        self.send_waiting(now, out)
    }

    /// The fleet has dropped the IKE SA: tells the peer. Nothing to do when that follows from the peer's own wish.
    pub(crate) fn handle_removed(&mut self, now: Instant, out: &mut Outbox) -> Fate {
        match self.phase {
            Phase::Held { last: true, .. } | Phase::Leaving | Phase::Left { .. } => return Fate::Stays,
            Phase::Up | Phase::Held { .. } => {}
        }
        self.phase = Phase::Leaving;
        self.report(Ending::Removed, out);
        self.requests.push(Request::DeleteIke);
        self.send_waiting(now, out).unwrap_or(Fate::Gone)
    }

    /// The fleet has dropped a child SA: tells the peer. Not committed: should another edge take over, it would
    /// know a child SA too many, which does no harm until the peer deletes it too.
    pub(crate) fn handle_child_removed(&mut self, now: Instant, inbound_spi: u32, out: &mut Outbox) -> Fate {
        self.forget_child(inbound_spi);
        match self.send_waiting(now, out) {
            Ok(_) => Fate::LosesChildren(vec![inbound_spi]),
            Err(Exhausted) => self.end(Ending::Exhausted, out),
        }
    }

    /// Ends it without the peer.
    fn end(&mut self, ending: Ending, out: &mut Outbox) -> Fate {
        self.report(ending, out);
        if !matches!(
            self.phase,
            Phase::Leaving | Phase::Left { .. } | Phase::Held { last: true, .. }
        ) {
            out.commit(self.state.spis(), vec![Change::RemoveIke(self.state.spis())]);
        }
        Fate::Gone
    }

    /// Notes an authentic message. If it is known to be `fresh`, a peer behind a NAT is where it came from (RFC 7296
    /// section 2.23).
    fn heard(&mut self, arrived: Arrived<'_>, fresh: bool, out: &mut Outbox) {
        self.last_heard = arrived.now;
        if fresh && self.state.nat.follows_peer() && arrived.path != self.state.path {
            let from = self.state.path.peer;
            self.state.path = arrived.path;
            self.report(What::PeerMoved { from }, out);
        }
    }

    fn discard(&self, arrived: Arrived<'_>, dropped: Dropped, out: &mut Outbox) -> Fate {
        out.report(
            arrived.path,
            Some(self.state.spis()),
            Some(&self.state.tunnel),
            dropped,
        );
        Fate::Stays
    }

    pub(crate) fn report(&self, what: impl Into<What>, out: &mut Outbox) {
        out.report(
            self.state.path,
            Some(self.state.spis()),
            Some(&self.state.tunnel),
            what,
        );
    }
}
