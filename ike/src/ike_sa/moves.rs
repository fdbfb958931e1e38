//! Where the peer is: a NAT may give it another address or port (RFC 7296 section 2.23), or it tells that it is elsewhere
//! (MOBIKE, RFC 4555).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Established, Phase};
use crate::ike_sa::context::Context;
use crate::ike_sa::request_queue::Request;
use crate::message::fragments::longest_message;
use crate::message::inbound::Arrived;
use crate::message::outbox::Outbox;
use crate::negotiation::nat::Nat;
use crate::wire::{NotifyType, Payload};
use crate::{Change, ChildUpdate, Ending, Path, What};

/// The fleet hears of no more moves than one in this time.
const PACE: Duration = Duration::from_secs(1);

impl Established {
    /// Notes an authentic message. If it is known to be `fresh`, a peer behind a NAT is where it came from (RFC 7296
    /// section 2.23).
    pub(super) fn heard(&mut self, arrived: Arrived<'_>, fresh: bool, out: &mut Outbox) {
        self.last_heard = arrived.now;
        let came_along = arrived.path;
        let is_elsewhere = came_along != self.state.path && came_along.local == self.state.path.local;
        // With MOBIKE "the host not behind a NAT MUST NOT use these dynamic updates for IKEv2 packets, but MAY use them for ESP
        // packets" (RFC 4555 section 3.8).
        let is_allowed = !self.state.mobike || self.suspected == Some(came_along.peer);
        if fresh && is_elsewhere && is_allowed && self.state.nat.follows_peer() {
            self.suspected = None;
            self.move_to(came_along, out);
        }
    }

    fn move_to(&mut self, path: Path, out: &mut Outbox) {
        let from = self.state.path.peer;
        self.state.path = path;
        self.report(What::PeerMoved { from }, out);
    }

    /// A kernel of the fleet has had an authentic packet from `peer`. It may be an old one that somebody sends again, since
    /// SAs that are shared by edges have no replay protection. So the peer is asked there for a sign of life, and is
    /// followed once it has answered.
    pub(crate) fn handle_child_moved(&mut self, peer: SocketAddr, cx: &mut Context<'_>) {
        let is_elsewhere = peer != self.state.path.peer;
        if self.phase != Phase::Up || !is_elsewhere || !self.state.nat.follows_peer() {
            return;
        }
        if self.may_probe() {
            self.requests.push(Request::Probe);
            // What goes to the old address does no harm, and the peer may well be there.
            let _ = self.send_waiting(cx);
        }
        if let Some(request) = self.requests.octets() {
            let there = Path {
                peer,
                ..self.state.path
            };
            cx.out.send(there, request);
            self.suspected = Some(peer);
        }
    }

    /// The peer's request says that its addresses are to be used from now on (RFC 4555 section 3.5). True if something has
    /// changed. The child SAs follow when the peer has shown that it receives there (section 3.7).
    pub(super) fn update_addresses(
        &mut self,
        arrived: Arrived<'_>,
        payloads: &[Payload<'_>],
        out: &mut Outbox,
    ) -> bool {
        let (before, path) = (self.state.wanted_outer(), arrived.path);
        if NotifyType::NAT_DETECTION_SOURCE_IP.is_in(payloads) {
            self.state.nat = Nat::detect(path, arrived.message.header.spis, payloads);
        }
        if path != self.state.path {
            self.state.unchecked = true;
            self.state.channel.longest = self.state.channel.longest.map(|_| longest_message(path.peer));
            self.move_to(path, out);
        }
        self.state.wanted_outer() != before
    }

    /// Has the peer asked whether it receives where it says it is.
    pub(super) fn queue_check(&mut self, cx: &mut Context<'_>) {
        let is_check = |request| matches!(request, Request::CheckPath(_));
        if self.state.unchecked && !self.requests.has(is_check) {
            self.requests.push(Request::CheckPath(cx.random()));
        }
    }

    /// The peer has answered the check. "If the same INFORMATIONAL request has been sent to several different addresses [...] a
    /// new INFORMATIONAL request needs to be sent to check return routability" (RFC 4555 section 3.7).
    pub(super) fn path_checked(&mut self, cookie2: &[u8], payloads: &[Payload<'_>], cx: &mut Context<'_>) {
        let returned = payloads.iter().any(|payload| {
            matches!(payload, Payload::Notify(notify) if notify.kind == NotifyType::COOKIE2 && notify.data == cookie2)
        });
        // "If the values do not match, the IKE_SA MUST be closed."
        if !returned {
            return self.close(Ending::WrongCookie2, cx);
        }
        if self.checking.take() == Some(self.state.path) {
            self.state.unchecked = false;
        }
    }

    /// What lets every edge send to where the peer is; `None` if that is known, or was said a moment ago.
    pub(super) fn follow(&mut self, now: Instant) -> Option<Vec<Change>> {
        if self.follows_at()? > now {
            return None;
        }
        self.followed = Some(now);
        self.state.outer = self.state.wanted_outer();
        let (path, udp_encap) = (self.state.outer.path, self.state.outer.udp_encap);
        let update = |child: &crate::ike_sa::child_sas::Child| Change::UpdateChild {
            inbound_spi: child.spis.inbound,
            update: ChildUpdate::Path { path, udp_encap },
        };
        Some(self.state.children.installed().map(update).collect())
    }

    /// When the fleet is to hear of the peer's present address; `None` when it has.
    pub(super) fn follows_at(&self) -> Option<Instant> {
        let is_due = !self.state.unchecked && self.state.outer != self.state.wanted_outer();
        let earliest = self.followed.map_or(self.last_heard, |followed| followed + PACE);
        is_due.then_some(earliest)
    }
}
