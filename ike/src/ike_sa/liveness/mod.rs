//! Whether the peer is there: what it was asked and has not answered, with which message ID, and when it was last heard.

pub(crate) mod message_id;
pub(crate) mod request_queue;

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::message::channel::Exhausted;
use crate::wire::ExchangeType;
use message_id::{NextMessageId, Synchronization, UNRECORDED};
use request_queue::{InFlightDue, Request, RequestQueue};

/// Our requests to the peer, and its signs of life. Durable is only [`NextMessageId`], which the methods are given.
#[derive(Debug)]
pub(super) struct Liveness {
    queue: RequestQueue,
    synchronization: Synchronization,
    /// Message ID of our next request when the fleet last heard of it.
    recorded: NextMessageId,
    last_heard: Instant,
}

/// What is to be done about the request in flight.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Retransmit,
    /// Nobody has answered the DELETE of the IKE SA.
    DeleteUnanswered,
    /// Nobody has answered for so long that the peer counts as dead (RFC 7296 section 2.4).
    PeerDead,
    /// Nobody has answered, but the peer may have received nothing but message IDs that it did not expect.
    Unsynchronized,
}

/// How the request in flight is sent again.
pub(super) enum Retransmission<'a> {
    /// The same octets (RFC 7296 section 2.1).
    Same(&'a [u8]),
    /// To be sealed with each of these message IDs: the peer drops those that are too low, and takes the others in a row.
    Search(Request, RangeInclusive<u32>),
}

impl Liveness {
    pub(super) fn new(now: Instant, next: NextMessageId) -> Self {
        Self {
            queue: RequestQueue::default(),
            synchronization: Synchronization::Synchronized,
            recorded: next,
            last_heard: now,
        }
    }

    /// After a takeover, in which the peer counts as silent since `last_heard`. The message ID that the peer expects has to be found
    /// out, unless [`Self::sent`] follows.
    pub(super) fn restored(last_heard: Instant, next: NextMessageId) -> Self {
        Self {
            synchronization: Synchronization::lost(next),
            ..Self::new(last_heard, next)
        }
    }

    /// After a takeover, a request was committed with its message ID before it left, and nothing was sent behind it.
    pub(super) fn resumed(&mut self, now: Instant, request: Request, id: u32, octets: Vec<u8>) {
        self.synchronization = Synchronization::Synchronized;
        self.sent(now, request, id, octets);
    }

    /// An authentic message has come.
    pub(super) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
    }

    pub(super) fn last_heard(&self) -> Instant {
        self.last_heard
    }

    /// True when the message ID of our next request is the one that the peer expects.
    pub(super) fn is_synchronized(&self) -> bool {
        self.synchronization == Synchronization::Synchronized
    }

    /// Puts a request behind the others. A DELETE of the IKE SA makes the others pointless.
    pub(super) fn push(&mut self, request: Request) {
        self.queue.push(request);
    }

    /// Puts a request behind the others, unless one for the same purpose waits or is in flight.
    pub(super) fn push_once(&mut self, request: Request) {
        if !self.has(|other| request.is_same(other)) {
            self.queue.push(request);
        }
    }

    /// Puts a request in front of the others.
    pub(super) fn push_front(&mut self, request: Request) {
        self.queue.push_front(request);
    }

    /// True when one that `is_it` waits or is in flight.
    pub(super) fn has(&self, is_it: impl Fn(Request) -> bool) -> bool {
        self.queue.has(is_it)
    }

    /// True when one that `is_it` waits.
    pub(super) fn waits(&self, is_it: impl Fn(Request) -> bool) -> bool {
        self.queue.waits(is_it)
    }

    /// True when nothing waits and nothing is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_idle()
    }

    pub(super) fn in_flight(&self) -> Option<Request> {
        self.queue.in_flight()
    }

    /// The octets of the request in flight.
    pub(super) fn octets_in_flight(&self) -> Option<&[u8]> {
        self.queue.octets()
    }

    /// Takes over what waits at the IKE SA that this one replaces.
    pub(super) fn adopt(&mut self, replaced: &mut Self) {
        self.queue.adopt(&mut replaced.queue);
    }

    /// The next request, if none is in flight.
    pub(super) fn pop(&mut self) -> Option<Request> {
        self.queue.pop()
    }

    /// Notes that `request` goes out for the first time, as `octets` with this message ID.
    pub(super) fn sent(&mut self, now: Instant, request: Request, id: u32, octets: Vec<u8>) {
        self.queue.sent(now, request, id, octets);
    }

    /// The request that a response of this exchange with message ID `id` answers.
    pub(super) fn awaited(&self, exchange: ExchangeType, id: u32) -> Option<Request> {
        self.queue.awaited(exchange, id)
    }

    /// The response with this message ID has come: frees the window.
    pub(super) fn handle_answer(&mut self, id: u32, next: &mut NextMessageId) -> Result<(), Exhausted> {
        self.synchronization.handle_answer(id);
        next.handle_answer(id)?;
        self.queue.answered();
        Ok(())
    }

    /// When the request in flight is to be sent again, or given up.
    pub(super) fn retransmission_at(&self) -> Option<Instant> {
        self.queue.deadline()
    }

    /// When a silent peer is to be asked whether it lives.
    pub(super) fn probe_at(&self, interval: Duration) -> Instant {
        self.last_heard + interval
    }

    pub(super) fn due(&mut self, now: Instant) -> Due {
        match self.queue.due(now) {
            InFlightDue::Nothing => Due::Nothing,
            InFlightDue::Retransmit => Due::Retransmit,
            InFlightDue::GiveUp(Request::DeleteIke) => Due::DeleteUnanswered,
            InFlightDue::GiveUp(_) if self.synchronization.handle_silence() => Due::PeerDead,
            InFlightDue::GiveUp(_) => {
                self.last_heard = now;
                Due::Unsynchronized
            }
        }
    }

    /// The request in flight goes out once more.
    pub(super) fn retransmit(&mut self, now: Instant) -> Option<Retransmission<'_>> {
        let Synchronization::Searching { last, .. } = self.synchronization else {
            return self.queue.resend(now).map(Retransmission::Same);
        };
        let (request, ids) = self.queue.search(now, last)?;
        self.synchronization.handle_search(*ids.end());
        Some(Retransmission::Search(request, ids))
    }

    /// The fleet knows that our next request has this message ID.
    pub(super) fn handle_recorded(&mut self, next: NextMessageId) {
        self.recorded = next;
    }

    /// True when a commit is due that tells the fleet the message ID: before so many requests were answered that none may be sent.
    pub(super) fn is_record_due(&self, next: NextMessageId) -> bool {
        self.unrecorded(next) >= UNRECORDED / 2
    }

    /// True when so many requests were answered since the last commit that a new owner would not find the message ID.
    pub(super) fn is_record_overdue(&self, next: NextMessageId) -> bool {
        self.unrecorded(next) >= UNRECORDED
    }

    fn unrecorded(&self, next: NextMessageId) -> u32 {
        next.get().saturating_sub(self.recorded.get())
    }
}
