//! The peer's requests, and our answers to them.

use std::time::Instant;

use super::{Arrived, Established, Fate, LINGER, Phase};
use crate::channel::{Exhausted, Kind};
use crate::informational::Informational;
use crate::outbox::Outbox;
use crate::window::{Answered, Arrival};
use crate::wire::{Delete, Encrypted, ExchangeType, Notify, NotifyType, Payload, Protocol, WireError};
use crate::{Change, Dropped, Ending, Path, What};

/// When a reply leaves, and what is true then.
enum Then {
    Send,
    Commit(Vec<u32>),
    End(Ending),
}

impl Established {
    pub(super) fn handle_request(
        &mut self,
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
                ExchangeType::Informational | ExchangeType::CreateChildSa => self.open_request(arrived, out),
                _ => Ok(self.discard(arrived, Dropped::Unexpected, out)),
            },
            (Arrival::New, Phase::Held { .. } | Phase::Left { .. }) => {
                Ok(self.discard(arrived, Dropped::Unexpected, out))
            }
            (Arrival::Outside, phase) if let Some(number) = self.repeated_fragment(arrived) => {
                // "That event MUST only trigger a retransmission of the response message if the Fragment Number field in the
                // received fragment is set to 1; otherwise, it MUST be ignored" (RFC 7383 section 2.6.1).
                let is_held = matches!(phase, Phase::Held { .. });
                if number == 1 && !is_held && self.state.channel.is_authentic(arrived) {
                    out.send(arrived.path, self.state.window.last_reply());
                }
                Ok(Fate::Stays)
            }
            (Arrival::Outside, _) => {
                let expected = self.state.window.next();
                Ok(self.discard(
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

    /// The number of a fragment of the last request; cut another way than before, if the first has come so far.
    fn repeated_fragment(&self, arrived: Arrived<'_>) -> Option<u16> {
        match arrived.message.encrypted {
            Some(Encrypted::Fragment { fragment, .. })
                if self.state.window.is_last(arrived.message.header.message_id) =>
            {
                Some(fragment.number)
            }
            _ => None,
        }
    }

    fn open_request(&mut self, arrived: Arrived<'_>, out: &mut Outbox) -> Result<Fate, Exhausted> {
        let opened = match self.state.channel.open(&mut self.requested, arrived) {
            Ok(Some(opened)) => opened,
            Ok(None) => return Ok(Fate::Stays),
            Err(dropped) => return Ok(self.discard(arrived, dropped, out)),
        };
        let arrived = opened.whole(arrived);
        self.heard(arrived, !self.state.window.is_in_doubt(), out);
        let notify = |kind, data| Payload::Notify(Notify::new(kind, data));
        match opened.payloads() {
            Ok(payloads) if arrived.message.header.exchange == ExchangeType::Informational => {
                self.answer_informational(arrived, &payloads, out)
            }
            Ok(_) => {
                self.report(What::NoAdditionalSas, out);
                let payload = notify(NotifyType::NO_ADDITIONAL_SAS, &[]);
                self.answer(arrived, &[payload], Then::Send, out)
            }
            // The request is refused, the IKE SA stays (RFC 7296 section 2.5).
            Err(WireError::CriticalPayload(kind)) => {
                let data = [kind];
                let payload = notify(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, &data);
                self.answer(arrived, &[payload], Then::Send, out)
            }
            // "The IKE SA is deleted without needing an explicit Delete payload" (RFC 7296 section 2.21.3).
            Err(error) => {
                let payload = notify(NotifyType::INVALID_SYNTAX, &[]);
                let then = Then::End(Ending::Malformed(error.to_string()));
                self.answer(arrived, &[payload], then, out)
            }
        }
    }

    fn answer_informational(
        &mut self,
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
            return self.answer(arrived, &[], Then::End(ending), out);
        }
        if request.deleted.is_empty() {
            return self.answer(arrived, &[], Then::Send, out);
        }
        // The paired SPIs, of the other direction (RFC 7296 section 1.4.1).
        let spis: Vec<u32> = request.deleted.iter().map(|child| child.inbound).collect();
        self.state.children.retain(|child| !spis.contains(&child.inbound));
        self.report(What::ChildrenDeleted(spis.clone()), out);
        let payload = Payload::Delete(Delete::Child {
            protocol: Protocol::Esp,
            spis: spis.clone(),
        });
        self.answer(arrived, &[payload], Then::Commit(spis), out)
    }

    /// Seals a reply and sends it, or holds it until the fleet knows what it says.
    fn answer(
        &mut self,
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
        let fleet_knows = matches!(self.phase, Phase::Leaving);
        let (changes, last, fate) = match then {
            Then::Send => {
                self.release(arrived.now, arrived.path, false, out);
                return Ok(Fate::Stays);
            }
            Then::Commit(spis) => {
                let mut changes: Vec<Change> = spis.iter().copied().map(Change::RemoveChild).collect();
                changes.push(Change::PutIke(self.state.record(false)));
                (changes, false, Fate::LosesChildren(spis))
            }
            Then::End(ending) => {
                self.report(ending, out);
                (vec![Change::RemoveIke(self.state.spis())], true, Fate::Stays)
            }
        };
        match fleet_knows {
            true => self.release(arrived.now, arrived.path, last, out),
            false => self.hold(arrived.path, changes, last, out),
        }
        Ok(fate)
    }

    fn hold(&mut self, reply_to: Path, changes: Vec<Change>, last: bool, out: &mut Outbox) {
        let commit = out.commit(self.state.spis(), changes);
        self.phase = Phase::Held {
            commit,
            reply_to,
            last,
        };
    }

    fn release(&mut self, now: Instant, reply_to: Path, last: bool, out: &mut Outbox) {
        out.send(reply_to, self.state.window.last_reply());
        if last {
            self.phase = Phase::Left { until: now + LINGER };
        }
    }

    /// The fleet has decided on the commit of a held reply. The reply leaves either way: it only confirms that
    /// something is gone, which the peer has dropped already, whatever the fleet says.
    pub(crate) fn handle_commit(&mut self, now: Instant, out: &mut Outbox) {
        if let Phase::Held { reply_to, last, .. } = self.phase {
            self.phase = Phase::Up;
            self.release(now, reply_to, last, out);
        }
    }
}
