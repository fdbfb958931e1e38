//! The peer's requests, and our answers to them.

use super::commits::{Before, Made, Then};
use super::create_child_sa::release_spi;
use super::{Established, Fate, Lifecycle};
use crate::fleet::qcd;
use crate::ike_sa::child_sas::ChildPhase;
use crate::ike_sa::context::Context;
use crate::ike_sa::state::{PeerReplacement, ReplacementSa};
use crate::message::channel::{Exhausted, MessageKind};
use crate::message::inbound::Arrived;
use crate::message::window::{Answered, Arrival};
use crate::negotiation::informational::Informational;
use crate::negotiation::mobike::Addresses;
use crate::negotiation::nat::NatDetection;
use crate::wire::{Delete, Encrypted, ExchangeType, Notify, NotifyType, Payload, Protocol, WireError};
use crate::{Change, Dropped, Ending, Side, What};

impl Established {
    pub(super) fn handle_request(
        &mut self,
        arrived: Arrived<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        let header = arrived.message.header;
        let holds_reply = self.commits.holds_reply();
        match self.state.window.classify(header.message_id, arrived.octets) {
            Arrival::Repeated(_) if holds_reply => Ok(Fate::Stays),
            Arrival::Repeated(reply) => {
                cx.out.send(arrived.path, reply);
                self.state.children.prolong_standby();
                Ok(Fate::Stays)
            }
            // "An IKE endpoint MUST wait for a response to each of its messages before sending a subsequent message" (RFC
            // 7296 section 2.3).
            Arrival::New if holds_reply || matches!(self.lifecycle, Lifecycle::Deleted { .. }) => {
                Ok(self.discard(arrived, Dropped::Unexpected, cx.out))
            }
            Arrival::New => match header.exchange {
                ExchangeType::Informational | ExchangeType::CreateChildSa | ExchangeType::IkeFollowupKe => {
                    self.open_request(arrived, cx)
                }
                ExchangeType::IkeSaInit
                | ExchangeType::IkeAuth
                | ExchangeType::IkeIntermediate
                | ExchangeType::Other(_) => Ok(self.discard(arrived, Dropped::Unexpected, cx.out)),
            },
            Arrival::Outside if let Some(number) = self.repeated_fragment(arrived) => {
                // "That event MUST only trigger a retransmission of the response message (fragmented or not) if the Fragment
                // Number field in the received fragment is set to 1; otherwise, it MUST be ignored" (RFC 7383 section 2.6.1).
                if !holds_reply && self.state.channel.is_authentic(arrived) {
                    self.state.children.prolong_standby();
                    if number == 1 {
                        cx.out.send(arrived.path, self.state.window.last_reply());
                    }
                }
                Ok(Fate::Stays)
            }
            Arrival::Outside => {
                let expected = self.state.window.next();
                let got = header.message_id;
                Ok(self.discard(arrived, Dropped::OutsideWindow { got, expected }, cx.out))
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

    fn open_request(&mut self, arrived: Arrived<'_>, cx: &mut Context<'_>) -> Result<Fate, Exhausted> {
        let opened = match self.state.channel.open(&mut self.requested, arrived) {
            Ok(Some(opened)) => opened,
            Ok(None) => return Ok(Fate::Stays),
            Err(dropped) => return Ok(self.discard(arrived, dropped, cx.out)),
        };
        let arrived = opened.whole(arrived);
        self.handle_authentic(arrived, !self.state.window.is_in_doubt(), cx.out);
        let payloads = opened.payloads();
        let is_probe = matches!(&payloads, Ok(payloads) if payloads.is_empty())
            && arrived.message.header.exchange == ExchangeType::Informational;
        if self.commits.is_under_way() && !is_probe {
            return Ok(self.defer(arrived));
        }
        let is_end = matches!(&payloads, Ok(payloads) if payloads.contains(&Payload::Delete(Delete::Ike)));
        if !is_probe && !is_end && !self.commits.allow_change(cx.now) {
            return Ok(self.discard(arrived, Dropped::TooManyChanges, cx.out));
        }
        match payloads {
            Ok(payloads) if arrived.message.header.exchange == ExchangeType::Informational => {
                self.answer_informational(arrived, &payloads, cx)
            }
            Ok(payloads) if arrived.message.header.exchange == ExchangeType::IkeFollowupKe => {
                self.answer_follow_up(arrived, &payloads, cx)
            }
            Ok(payloads) => self.answer_create_child_sa(arrived, &payloads, cx),
            // The request is refused, the IKE SA stays (RFC 7296 section 2.5).
            Err(WireError::CriticalPayload(kind)) => {
                self.answer_error(arrived, NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, &[kind], cx)
            }
            // So is this one: INVALID_SYNTAX would end the IKE SA for either side (RFC 7296 section 2.21.3).
            Err(error @ WireError::TooManyPayloads) => {
                self.report(What::Dropped(error.into()), cx.out);
                self.answer_error(arrived, NotifyType::NO_ADDITIONAL_SAS, &[], cx)
            }
            Err(error) => self.answer_malformed(arrived, error, cx),
        }
    }

    fn answer_informational(
        &mut self,
        arrived: Arrived<'_>,
        payloads: &[Payload<'_>],
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        let request = Informational::read(payloads, self.state.window.follows_auth());
        for kind in request.notified {
            self.report(What::Notified(kind), cx.out);
        }
        if let Some(ending) = request.ending {
            return self.answer_end(arrived, ending, cx);
        }
        let addresses = Addresses::read(payloads);
        if self.state.address.has_mobike() && addresses.is_changed(arrived.path) {
            let kind = NotifyType::UNEXPECTED_NAT_DETECTED;
            return self.answer_error(arrived, kind, &[], cx);
        }
        let moves = self.state.address.has_mobike()
            && addresses.update
            && self.update_addresses(arrived, payloads, cx.out);
        let has_token = cx.tokens.is_some() && self.state.take_peer_token(qcd::given(payloads));
        let mut before = Before::default();
        let (mut changes, spis) = self.delete_children(&request.deleted, &mut before, cx);
        let nat = NatDetection::new(arrived.path, arrived.message.header.spis);
        let mut reply = Vec::new();
        if addresses.detects_nat {
            reply.extend(nat.payloads());
        }
        let cookie2 = addresses.cookie2.filter(|_| self.state.address.has_mobike());
        reply.extend(cookie2.map(|cookie2| Payload::Notify(Notify::new(NotifyType::COOKIE2, cookie2))));
        if !spis.is_empty() {
            reply.push(Payload::Delete(Delete::Child {
                protocol: Protocol::Esp,
                spis,
            }));
        }
        self.seal_reply(arrived, &reply)?;
        match changes.is_empty() && !moves && !has_token {
            true => self.release(arrived.path, false, cx),
            false => {
                changes.push(self.put());
                self.hold(arrived, changes, Made::Changes(before), false, cx);
            }
        }
        Ok(Fate::Stays)
    }

    /// The peer has deleted these child SAs, named by the SPIs it received on; those not known are passed over. Returns
    /// what changes in the fleet, and the SPIs of the other direction for the answer (RFC 7296 section 1.4.1).
    fn delete_children(
        &mut self,
        deleted: &[u32],
        before: &mut Before,
        cx: &mut Context<'_>,
    ) -> (Vec<Change>, Vec<u32>) {
        let (mut changes, mut answered, mut removed) = (Vec::new(), Vec::new(), Vec::new());
        for &outbound in deleted {
            let Some(child) = self.state.children.of_peer(outbound) else {
                continue;
            };
            let (spi, phase) = (child.inbound_spi(), child.phase());
            // "If by chance both ends of a set of SAs independently decide to close them, each may send a Delete payload
            // and the two requests may cross. The responses MUST NOT include Delete payloads for the deleted SAs."
            if phase != ChildPhase::Closing {
                answered.push(spi);
            }
            // The end of the replaced child SA tells that the peer is ready for its replacement (RFC 7296 section 2.8).
            let replacement = self.state.children.replacement_of(spi);
            changes
                .extend(replacement.map(|replacement| self.activate(replacement, &mut before.activations)));
            match phase {
                ChildPhase::Active | ChildPhase::Standby { .. } if replacement.is_none() => {
                    removed.push(spi);
                    changes.push(self.remove_child(spi, cx));
                }
                ChildPhase::Active
                | ChildPhase::Standby { .. }
                | ChildPhase::Replaced
                | ChildPhase::Closing
                | ChildPhase::Retiring
                | ChildPhase::Lost => self.state.children.retire(spi),
            }
        }
        if !removed.is_empty() {
            self.report(What::ChildrenDeleted(removed), cx.out);
        }
        (changes, answered)
    }

    /// An error that ends nothing but the exchange.
    pub(super) fn answer_error(
        &mut self,
        arrived: Arrived<'_>,
        kind: NotifyType,
        data: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        self.seal_reply(arrived, &[Payload::Notify(Notify::new(kind, data))])?;
        self.release(arrived.path, false, cx);
        Ok(Fate::Stays)
    }

    /// "The IKE SA is deleted without needing an explicit Delete payload" (RFC 7296 section 2.21.3).
    pub(super) fn answer_malformed(
        &mut self,
        arrived: Arrived<'_>,
        error: WireError,
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        let payload = Payload::Notify(Notify::new(NotifyType::INVALID_SYNTAX, &[]));
        self.seal_reply(arrived, &[payload])?;
        let ending = Ending::Malformed(error.to_string());
        self.report(ending, cx.out);
        let changes = vec![Change::RemoveIke(self.state.spis())];
        self.hold(arrived, changes, Made::Nothing, true, cx);
        Ok(Fate::Stays)
    }

    fn answer_end(
        &mut self,
        arrived: Arrived<'_>,
        ending: Ending,
        cx: &mut Context<'_>,
    ) -> Result<Fate, Exhausted> {
        self.seal_reply(arrived, &[])?;
        let ours = self.state.take_exchange();
        if let Some((ours, _)) = &ours {
            release_spi(&ours.subject, cx);
        }
        let (mut changes, made) = match ours.and_then(|(_, peers)| peers) {
            // The peer has not noticed our rekey beside its own: ours is forgotten (RFC 7296 section 2.8.2).
            Some(PeerReplacement {
                sa: ReplacementSa::Ike(state),
                ..
            }) if ending == Ending::PeerDeleted => {
                let (mut changes, replacement) = self.replace(*state, Side::Peer, cx);
                // Its own state, which ends here.
                changes.pop();
                (changes, Made::Replacements(vec![replacement]))
            }
            _ => {
                self.report(
                    match self.state.rekeys.is_replaced() {
                        true => Ending::Rekeyed,
                        false => ending,
                    },
                    cx.out,
                );
                (Vec::new(), Made::Nothing)
            }
        };
        changes.push(Change::RemoveIke(self.state.spis()));
        self.hold(arrived, changes, made, true, cx);
        Ok(Fate::Stays)
    }

    /// Seals the reply to a request, and moves the window past it.
    pub(super) fn seal_reply(
        &mut self,
        arrived: Arrived<'_>,
        payloads: &[Payload<'_>],
    ) -> Result<(), Exhausted> {
        let header = arrived.message.header;
        let reply = self.state.channel.seal(
            MessageKind::Response,
            header.exchange,
            header.message_id,
            payloads,
        )?;
        self.state
            .window
            .advance(header.message_id, Answered::new(arrived.octets, reply));
        Ok(())
    }

    /// Holds the reply until the fleet knows what it says; it may be the `last` one.
    pub(super) fn hold(
        &mut self,
        arrived: Arrived<'_>,
        changes: Vec<Change>,
        made: Made,
        last: bool,
        cx: &mut Context<'_>,
    ) {
        match self.lifecycle {
            // What the fleet has dropped already needs no commit.
            Lifecycle::Deleting => self.release(arrived.path, last, cx),
            Lifecycle::Up | Lifecycle::Deleted { .. } => {
                self.commits.note_change(cx.now);
                let to = arrived.path;
                self.commit(changes, Then::Reply { to, last }, made, cx);
            }
        }
    }
}
