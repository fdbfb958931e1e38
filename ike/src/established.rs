//! An established IKE SA: the peer's requests, our own, and its end.

use std::time::{Duration, Instant};

use crate::channel::{Exhausted, Kind, Opened};
use crate::informational::Informational;
use crate::outbox::Outbox;
use crate::requests::{Due, Request, Requests};
use crate::snapshot::State;
use crate::window::{Answered, Arrival};
use crate::wire::{Delete, ExchangeType, Message, Notify, NotifyType, Payload, Protocol, WireError};
use crate::{Change, CommitId, Dropped, Ending, Limits, Path, What};

/// How long retransmissions are answered after the end. RFC 7296 section 2.1 allows to forget after minutes.
const LINGER: Duration = Duration::from_secs(60);

/// One of them.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) state: State,
    requests: Requests,
    /// False from a restore until the peer answers: the requests that the previous owner sent since its last commit
    /// are not counted in the snapshot, so the peer may expect a higher message ID.
    in_step: bool,
    last_heard: Instant,
    phase: Phase,
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
    pub(crate) path: Path,
    pub(crate) message: &'a Message<'a>,
    /// The whole message without non-ESP marker.
    pub(crate) octets: &'a [u8],
}

/// When a reply leaves, and what is true then.
enum Then {
    Send,
    Commit(Vec<u32>),
    End(Ending),
}

impl Established {
    pub(crate) fn new(state: State, now: Instant) -> Self {
        Self {
            state,
            requests: Requests::default(),
            in_step: true,
            last_heard: now,
            phase: Phase::Up,
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
        match self.phase {
            Phase::Left { until } => Some(until),
            Phase::Up if self.requests.is_idle() => Some(self.last_heard + limits.dpd_interval),
            Phase::Up | Phase::Held { .. } | Phase::Leaving => self.requests.deadline(),
        }
    }

    /// The commit that a reply waits for.
    pub(crate) fn awaited_commit(&self) -> Option<CommitId> {
        match self.phase {
            Phase::Held { commit, .. } => Some(commit),
            _ => None,
        }
    }

    pub(crate) fn handle_message(&mut self, now: Instant, arrived: Arrived<'_>, out: &mut Outbox) -> Fate {
        let handled = match arrived.message.header.flags.response {
            true => self.handle_response(now, arrived, out),
            false => self.handle_request(now, arrived, out),
        };
        handled.unwrap_or_else(|Exhausted| self.end(Ending::Exhausted, out))
    }

    fn handle_request(
        &mut self,
        now: Instant,
        arrived: Arrived<'_>,
        out: &mut Outbox,
    ) -> Result<Fate, Exhausted> {
        let header = arrived.message.header;
        match (
            self.state.window.classify(header.message_id, arrived.octets),
            &self.phase,
        ) {
            (Arrival::Repeated(_), Phase::Held { .. }) => Ok(Fate::Stays),
            (Arrival::Repeated(reply), _) => {
                out.send(arrived.path, reply);
                Ok(Fate::Stays)
            }
            (Arrival::New, Phase::Up | Phase::Leaving) => match header.exchange {
                ExchangeType::Informational | ExchangeType::CreateChildSa => {
                    self.open_request(now, arrived, out)
                }
                _ => Ok(self.drop(arrived, Dropped::Unexpected, out)),
            },
            (Arrival::New, Phase::Held { .. } | Phase::Left { .. }) => {
                Ok(self.drop(arrived, Dropped::Unexpected, out))
            }
            (Arrival::Outside, _) => {
                let expected = self.state.window.next();
                Ok(self.drop(
                    arrived,
                    Dropped::OutsideWindow {
                        got: header.message_id,
                        expected,
                    },
                    out,
                ))
            }
        }
    }

    fn open_request(
        &mut self,
        now: Instant,
        arrived: Arrived<'_>,
        out: &mut Outbox,
    ) -> Result<Fate, Exhausted> {
        let opened = match self.state.channel.open(arrived.message, arrived.octets) {
            Ok(opened) => opened,
            Err(dropped) => return Ok(self.drop(arrived, dropped, out)),
        };
        self.heard(now, arrived.path, !self.state.window.may_skip(), out);
        let notify = |kind, data| Payload::Notify(Notify::new(kind, data));
        match opened.payloads() {
            Ok(payloads) if arrived.message.header.exchange == ExchangeType::Informational => {
                self.answer_informational(now, arrived, &payloads, out)
            }
            Ok(_) => {
                self.report(What::NoAdditionalSas, out);
                let payload = notify(NotifyType::NO_ADDITIONAL_SAS, &[]);
                self.answer(now, arrived, &[payload], Then::Send, out)
            }
            // The request is refused, the IKE SA stays (RFC 7296 section 2.5).
            Err(WireError::CriticalPayload(kind)) => {
                let data = [kind];
                let payload = notify(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, &data);
                self.answer(now, arrived, &[payload], Then::Send, out)
            }
            // "The IKE SA is deleted without needing an explicit Delete payload" (RFC 7296 section 2.21.3).
            Err(error) => {
                let payload = notify(NotifyType::INVALID_SYNTAX, &[]);
                let then = Then::End(Ending::Malformed(error.to_string()));
                self.answer(now, arrived, &[payload], then, out)
            }
        }
    }

    fn answer_informational(
        &mut self,
        now: Instant,
        arrived: Arrived<'_>,
        payloads: &[Payload<'_>],
        out: &mut Outbox,
    ) -> Result<Fate, Exhausted> {
        let message_id = arrived.message.header.message_id;
        let request = Informational::read(payloads, message_id, &self.state.children);
        for kind in request.notified {
            self.report(What::Notified(kind), out);
        }
        if let Some(ending) = request.ending {
            return self.answer(now, arrived, &[], Then::End(ending), out);
        }
        if request.deleted.is_empty() {
            return self.answer(now, arrived, &[], Then::Send, out);
        }
        // The paired SPIs, of the other direction (RFC 7296 section 1.4.1).
        let spis: Vec<u32> = request.deleted.iter().map(|child| child.inbound).collect();
        self.state.children.retain(|child| !spis.contains(&child.inbound));
        self.report(What::ChildrenDeleted(spis.clone()), out);
        let payload = Payload::Delete(Delete::Child {
            protocol: Protocol::Esp,
            spis: spis.clone(),
        });
        self.answer(now, arrived, &[payload], Then::Commit(spis), out)
    }

    /// Seals a reply and sends it, or keeps it until the fleet knows what it says.
    fn answer(
        &mut self,
        now: Instant,
        arrived: Arrived<'_>,
        payloads: &[Payload<'_>],
        then: Then,
        out: &mut Outbox,
    ) -> Result<Fate, Exhausted> {
        let header = arrived.message.header;
        let reply = self
            .state
            .channel
            .seal(Kind::Response, header.exchange, header.message_id, payloads)?;
        self.state
            .window
            .advance(header.message_id, Answered::new(arrived.octets, reply));
        // What the fleet has dropped already needs no commit.
        let leaving = matches!(self.phase, Phase::Leaving);
        let (changes, last, fate) = match then {
            Then::Commit(spis) if !leaving => {
                let mut changes: Vec<Change> = spis.iter().copied().map(Change::RemoveChild).collect();
                changes.push(Change::PutIke(self.state.record(false)));
                (changes, false, Fate::LosesChildren(spis))
            }
            Then::End(ending) if !leaving => {
                self.report(ending, out);
                (vec![Change::RemoveIke(self.state.spis())], true, Fate::Stays)
            }
            Then::Send | Then::Commit(_) => {
                out.send(arrived.path, self.state.window.last_reply());
                return Ok(Fate::Stays);
            }
            Then::End(_) => {
                out.send(arrived.path, self.state.window.last_reply());
                self.phase = Phase::Left { until: now + LINGER };
                return Ok(Fate::Stays);
            }
        };
        let commit = out.commit(self.state.spis(), changes);
        self.phase = Phase::Held {
            commit,
            reply_to: arrived.path,
            last,
        };
        Ok(fate)
    }

    /// The fleet has decided on the commit of a held reply. The reply leaves either way: it only confirms that
    /// something is gone, which the peer has dropped already, whatever the fleet says.
    pub(crate) fn handle_commit(&mut self, now: Instant, out: &mut Outbox) {
        if let Phase::Held { reply_to, last, .. } = self.phase {
            out.send(reply_to, self.state.window.last_reply());
            self.phase = match last {
                true => Phase::Left { until: now + LINGER },
                false => Phase::Up,
            };
        }
    }

    fn handle_response(
        &mut self,
        now: Instant,
        arrived: Arrived<'_>,
        out: &mut Outbox,
    ) -> Result<Fate, Exhausted> {
        let header = arrived.message.header;
        if !self.requests.awaits(header.message_id) || header.exchange != ExchangeType::Informational {
            return Ok(self.drop(arrived, Dropped::Unexpected, out));
        }
        let opened = match self.state.channel.open(arrived.message, arrived.octets) {
            Ok(opened) => opened,
            Err(dropped) => return Ok(self.drop(arrived, dropped, out)),
        };
        self.heard(now, arrived.path, self.in_step, out);
        self.in_step = true;
        self.state.next_request = header.message_id.checked_add(1).ok_or(Exhausted)?;
        let request = self.requests.answered();
        if request == Some(Request::DeleteIke) {
            return Ok(Fate::Gone);
        }
        match ending_by_response(&opened) {
            Some(ending) => Ok(self.end(ending, out)),
            None => self.send_waiting(now, out),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, limits: &Limits, out: &mut Outbox) -> Fate {
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

    /// Puts a DELETE of a child SA in line, if it is known.
    pub(crate) fn forget_child(&mut self, inbound_spi: u32) {
        let before = self.state.children.len();
        self.state.children.retain(|child| child.inbound != inbound_spi);
        if self.state.children.len() < before {
            self.requests.push(Request::DeleteChild(inbound_spi));
        }
    }

    /// Sends the next of our requests, if none is in flight.
    pub(crate) fn send_waiting(&mut self, now: Instant, out: &mut Outbox) -> Result<Fate, Exhausted> {
        if let Some(request) = self.requests.pop() {
            let (id, octets) = self.seal_request(&request)?;
            out.send(self.state.path, &octets);
            self.requests.sent(now, request, id, octets);
        }
        Ok(Fate::Stays)
    }

    /// The same octets again (RFC 7296 section 2.1); while the peer's window is not known, the same request with the
    /// next message ID, so that the search ends.
    fn retransmit(&mut self, now: Instant, out: &mut Outbox) -> Result<(), Exhausted> {
        if let Some(request) = self.requests.in_flight().filter(|_| !self.in_step) {
            let (id, octets) = self.seal_request(&request.clone())?;
            self.requests.renumber(id, octets);
        }
        if let Some(octets) = self.requests.resend(now) {
            out.send(self.state.path, octets);
        }
        Ok(())
    }

    fn seal_request(&mut self, request: &Request) -> Result<(u32, Vec<u8>), Exhausted> {
        let id = self.state.next_request;
        let payloads = request.payloads();
        let octets = self
            .state
            .channel
            .seal(Kind::Request, ExchangeType::Informational, id, &payloads)?;
        self.state.next_request = id.checked_add(1).ok_or(Exhausted)?;
        Ok((id, octets))
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
    fn heard(&mut self, now: Instant, path: Path, fresh: bool, out: &mut Outbox) {
        self.last_heard = now;
        if fresh && self.state.nat.follows_peer() && path != self.state.path {
            let from = self.state.path.peer;
            self.state.path = path;
            self.report(What::PeerMoved { from }, out);
        }
    }

    fn drop(&self, arrived: Arrived<'_>, dropped: Dropped, out: &mut Outbox) -> Fate {
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

/// Errors in a response are not answered, but the IKE SA is cleaned up (RFC 7296 section 2.21); an INVALID_SYNTAX in
/// one is fatal for both sides (RFC 7296 section 2.21.3).
fn ending_by_response(opened: &Opened) -> Option<Ending> {
    match opened.payloads() {
        Err(error) => Some(Ending::Malformed(error.to_string())),
        Ok(payloads) => payloads.iter().find_map(|payload| match payload {
            Payload::Notify(notify) if notify.kind == NotifyType::INVALID_SYNTAX => {
                Some(Ending::PeerRefused(notify.kind.0))
            }
            _ => None,
        }),
    }
}
