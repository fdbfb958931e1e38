//! Our own requests to the peer: one at a time (RFC 7296 section 2.3), retransmitted with back-off (section 2.1).

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::DhGroup;
use crate::fleet::qcd::{self, Token};
use crate::negotiation::mobike::COOKIE2_LEN;
use crate::wire::{Delete, ExchangeType, Notify, NotifyType, Payload, Protocol};

/// Before the first retransmission. It doubles with each.
const FIRST_TIMEOUT: Duration = Duration::from_secs(2);
/// No wait is longer.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a request is sent until the peer counts as dead: 150 s in all, "several minutes" (RFC 7296 section 2.4).
const TRANSMISSIONS: u32 = 8;
/// How often a DELETE of an IKE SA is sent that the fleet has dropped already: 30 s in all.
const DELETE_TRANSMISSIONS: u32 = 4;

/// What we ask of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Do you live?
    Probe,
    /// Do you receive what is sent to you? With a COOKIE2 that only the one who does can bring back (RFC 4555 section
    /// 3.7).
    CheckPath([u8; COOKIE2_LEN]),
    /// Go to another gateway (RFC 5685 section 5).
    Redirect,
    /// Keep this token (RFC 6290 section 4.3).
    GiveToken(Token),
    /// This child SA, by its inbound SPI, is gone.
    DeleteChild(u32),
    /// This IKE SA is gone.
    DeleteIke,
    /// A new SA in the place of another, with a key exchange of this group.
    Rekey(ReplacedSa, DhGroup),
    /// The additional key exchange of such a rekey (RFC 9370 section 2.2.4).
    FollowUp(ReplacedSa),
}

/// What is rekeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplacedSa {
    /// The child SA with this inbound SPI.
    Child(u32),
    /// The IKE SA.
    Ike,
}

impl Request {
    /// Of those that are INFORMATIONAL (RFC 7296 section 1.4): an [`Exchange`](crate::ike_sa::create_child_sa::pending::Exchange) has its own. `redirect`
    /// is the data of REDIRECT.
    pub(crate) fn payloads<'a>(&'a self, redirect: &'a [u8]) -> Vec<Payload<'a>> {
        match self {
            Self::Probe | Self::Rekey(..) | Self::FollowUp(_) => Vec::new(),
            Self::CheckPath(cookie2) => {
                vec![Payload::Notify(Notify::new(NotifyType::COOKIE2, cookie2))]
            }
            Self::Redirect => vec![Payload::Notify(Notify::new(NotifyType::REDIRECT, redirect))],
            Self::GiveToken(token) => vec![qcd::notification(token)],
            Self::DeleteChild(spi) => {
                vec![Payload::Delete(Delete::Child {
                    protocol: Protocol::Esp,
                    spis: vec![*spi],
                })]
            }
            Self::DeleteIke => vec![Payload::Delete(Delete::Ike)],
        }
    }

    /// What it is to replace.
    fn rekeyed(self) -> Option<ReplacedSa> {
        match self {
            Self::Rekey(old, _) | Self::FollowUp(old) => Some(old),
            Self::Probe
            | Self::CheckPath(_)
            | Self::Redirect
            | Self::GiveToken(_)
            | Self::DeleteChild(_)
            | Self::DeleteIke => None,
        }
    }

    /// True when there is no need of one beside the other.
    pub(crate) fn is_same(self, other: Self) -> bool {
        match self.rekeyed() {
            Some(old) => other.rekeyed() == Some(old),
            None => self == other,
        }
    }

    pub(crate) fn exchange(self) -> ExchangeType {
        match self {
            Self::Probe
            | Self::CheckPath(_)
            | Self::Redirect
            | Self::GiveToken(_)
            | Self::DeleteChild(_)
            | Self::DeleteIke => ExchangeType::Informational,
            Self::Rekey(..) => ExchangeType::CreateChildSa,
            Self::FollowUp(_) => ExchangeType::IkeFollowupKe,
        }
    }
}

/// The request in flight and those behind it.
#[derive(Debug, Default)]
pub(super) struct RequestQueue {
    waiting: VecDeque<Request>,
    /// Most of the time there is none.
    in_flight: Option<Box<InFlight>>,
}

/// A request that awaits its response.
#[derive(Debug)]
struct InFlight {
    request: Request,
    /// The message IDs it was sent with: several only while it is not known which one the peer awaits.
    ids: RangeInclusive<u32>,
    octets: Vec<u8>,
    transmissions: u32,
    next: Instant,
}

/// What is to be done about the request in flight.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InFlightDue {
    Nothing,
    Retransmit,
    /// It was sent as often as it may be.
    GiveUp(Request),
}

impl RequestQueue {
    /// Puts a request in line. A DELETE of the IKE SA makes the others pointless.
    pub(crate) fn push(&mut self, request: Request) {
        if request == Request::DeleteIke {
            self.waiting.clear();
        }
        self.waiting.push_back(request);
    }

    /// Puts a request in front of the others.
    pub(crate) fn push_front(&mut self, request: Request) {
        self.waiting.push_front(request);
    }

    /// True when one that `is_it` is in line or in flight.
    pub(crate) fn has(&self, is_it: impl Fn(Request) -> bool) -> bool {
        let in_flight = self.in_flight.iter().map(|in_flight| in_flight.request);
        self.waiting.iter().copied().chain(in_flight).any(is_it)
    }

    /// True when one that `is_it` is in line.
    pub(crate) fn waits(&self, is_it: impl Fn(Request) -> bool) -> bool {
        self.waiting.iter().copied().any(is_it)
    }

    /// Takes over what waits in the line of the IKE SA before. That one was to be rekeyed, perhaps; this one is new.
    pub(crate) fn adopt(&mut self, other: &mut Self) {
        let kept = |request: &Request| request.rekeyed() != Some(ReplacedSa::Ike);
        self.waiting.extend(other.waiting.drain(..).filter(kept));
    }

    /// The next request, if the window is free for it.
    pub(crate) fn pop(&mut self) -> Option<Request> {
        match self.in_flight {
            Some(_) => None,
            None => self.waiting.pop_front(),
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.waiting.is_empty()
    }

    /// Notes that `request` goes out for the first time, as `octets` with message ID `id`.
    pub(crate) fn sent(&mut self, now: Instant, request: Request, id: u32, octets: Vec<u8>) {
        let next = now + timeout(1);
        self.in_flight = Some(Box::new(InFlight {
            request,
            ids: id..=id,
            octets,
            transmissions: 1,
            next,
        }));
    }

    /// The octets to send again.
    pub(crate) fn resend(&mut self, now: Instant) -> Option<&[u8]> {
        self.again(now).map(|in_flight| &in_flight.octets[..])
    }

    /// The request to seal again, with each of these message IDs: from that of the first time to the `last`, and to one more each
    /// time, since the peer may have taken all of them and its answers may be lost.
    pub(crate) fn search(&mut self, now: Instant, last: u32) -> Option<(Request, RangeInclusive<u32>)> {
        let in_flight = self.again(now)?;
        let next = in_flight.ids.end().saturating_add(1);
        in_flight.ids = *in_flight.ids.start()..=last.max(next);
        Some((in_flight.request, in_flight.ids.clone()))
    }

    /// The request in flight goes out once more.
    fn again(&mut self, now: Instant) -> Option<&mut InFlight> {
        let in_flight = self.in_flight.as_mut()?;
        in_flight.transmissions += 1;
        in_flight.next = now + timeout(in_flight.transmissions);
        Some(in_flight)
    }

    /// The octets of the request in flight.
    pub(crate) fn octets(&self) -> Option<&[u8]> {
        self.in_flight.as_ref().map(|in_flight| &in_flight.octets[..])
    }

    pub(crate) fn in_flight(&self) -> Option<Request> {
        self.in_flight.as_ref().map(|in_flight| in_flight.request)
    }

    /// The request that a response of this kind with `id` answers.
    pub(crate) fn awaited(&self, exchange: ExchangeType, id: u32) -> Option<Request> {
        let in_flight = self.in_flight.as_ref().filter(|it| it.ids.contains(&id))?;
        Some(in_flight.request).filter(|request| request.exchange() == exchange)
    }

    /// The response has come: frees the window.
    pub(crate) fn answered(&mut self) -> Option<Request> {
        self.in_flight.take().map(|in_flight| in_flight.request)
    }

    /// When [`Self::due`] has something to say.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.in_flight.as_ref().map(|in_flight| in_flight.next)
    }

    pub(crate) fn due(&mut self, now: Instant) -> InFlightDue {
        let Some(in_flight) = self.in_flight.as_ref().filter(|in_flight| in_flight.next <= now) else {
            return InFlightDue::Nothing;
        };
        let limit = match in_flight.request {
            Request::Probe
            | Request::CheckPath(_)
            | Request::Redirect
            | Request::GiveToken(_)
            | Request::DeleteChild(_)
            | Request::Rekey(..)
            | Request::FollowUp(_) => TRANSMISSIONS,
            Request::DeleteIke => DELETE_TRANSMISSIONS,
        };
        match in_flight.transmissions < limit {
            true => InFlightDue::Retransmit,
            false => self.answered().map_or(InFlightDue::Nothing, InFlightDue::GiveUp),
        }
    }
}

/// How long to wait after the `transmission`th, counted from 1.
fn timeout(transmission: u32) -> Duration {
    let doubled = FIRST_TIMEOUT.saturating_mul(1 << (transmission - 1).min(16));
    doubled.min(LONGEST_TIMEOUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds from the first transmission to each retransmission and to the end.
    fn schedule(request: Request) -> Vec<u64> {
        let start = Instant::now();
        let mut requests = RequestQueue::default();
        requests.push(request);
        let request = requests.pop().unwrap();
        requests.sent(start, request, 0, vec![]);
        let mut times = Vec::new();
        while let Some(now) = requests.deadline() {
            times.push((now - start).as_secs());
            if requests.due(now) == InFlightDue::Retransmit {
                requests.resend(now);
            }
        }
        times
    }

    #[test]
    fn waits_longer_each_time_and_ends() {
        assert_eq!(schedule(Request::Probe), [2, 6, 14, 30, 60, 90, 120, 150]);
        assert_eq!(schedule(Request::DeleteIke), [2, 6, 14, 30]);
    }

    #[test]
    fn a_search_goes_one_further_each_time() {
        let now = Instant::now();
        let mut requests = RequestQueue::default();
        requests.sent(now, Request::Probe, 5, vec![]);
        assert_eq!(requests.search(now, 10), Some((Request::Probe, 5..=10)));
        assert_eq!(requests.search(now, 10), Some((Request::Probe, 5..=11)));
        let awaited = |id| requests.awaited(ExchangeType::Informational, id);
        assert_eq!(
            [4, 5, 11, 12].map(|id| awaited(id).is_some()),
            [false, true, true, false]
        );
    }

    #[test]
    fn one_at_a_time() {
        let now = Instant::now();
        let mut requests = RequestQueue::default();
        requests.push(Request::DeleteChild(1));
        requests.push(Request::DeleteChild(2));
        let first = requests.pop().unwrap();
        requests.sent(now, first, 7, vec![]);
        assert_eq!(requests.pop(), None);
        let awaited = |id| requests.awaited(ExchangeType::Informational, id);
        assert_eq!((awaited(7), awaited(8)), (Some(first), None));
        assert_eq!(requests.awaited(ExchangeType::CreateChildSa, 7), None);
        requests.answered();
        assert_eq!(requests.pop(), Some(Request::DeleteChild(2)));
        requests.push(Request::DeleteChild(3));
        requests.push(Request::DeleteIke);
        assert_eq!(requests.pop(), Some(Request::DeleteIke));
        assert!(requests.is_idle());
    }
}
