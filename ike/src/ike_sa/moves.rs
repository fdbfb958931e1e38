//! Where the peer is: a NAT may give it another address or port (RFC 7296 section 2.23), or it tells that it is elsewhere
//! (MOBIKE, RFC 4555). And where it is to go: an operator moves the customer to another gateway (RFC 5685 section 5).

use std::net::SocketAddr;
use std::time::Instant;

use super::redirect::{Followed, Redirect};
use super::{Established, Lifecycle};
use crate::ike_sa::context::Context;
use crate::ike_sa::liveness::request_queue::Request;
use crate::message::fragments::longest_message;
use crate::message::inbound::Arrived;
use crate::message::outbox::Outbox;
use crate::negotiation::nat::Nat;
use crate::wire::{NotifyType, Payload};
use crate::{Change, ChildUpdate, Ending, Gateway, Path, What};

impl Established {
    /// Notes an authentic message. If it is known to be `fresh`, a peer behind a NAT is where it came from.
    pub(super) fn handle_authentic(&mut self, arrived: Arrived<'_>, fresh: bool, out: &mut Outbox) {
        self.liveness.heard(arrived.now);
        let moved_from = self
            .mobility
            .handle_message(&mut self.state.address, arrived.path, fresh);
        self.report_move(moved_from, out);
    }

    fn report_move(&self, from: Option<SocketAddr>, out: &mut Outbox) {
        if let Some(from) = from {
            self.report(What::PeerMoved { from }, out);
        }
    }

    /// A kernel of the fleet has had an authentic packet from `peer`. It may be an old one that an attacker replays, since
    /// SAs that are shared by edges have no replay protection. So the peer is asked there for a sign of life, and is
    /// followed once it has answered.
    pub(crate) fn handle_child_moved(&mut self, peer: SocketAddr, cx: &mut Context<'_>) {
        if self.lifecycle != Lifecycle::Up || !self.mobility.is_suspicious(&self.state.address, peer) {
            return;
        }
        if self.may_probe() {
            self.liveness.push(Request::Probe);
            // What goes to the old address does no harm, and the peer may well be there.
            let _ = self.send_waiting(cx);
        }
        if let Some(request) = self.liveness.octets_in_flight() {
            let there = Path {
                peer,
                ..self.state.address.path()
            };
            cx.out.send(there, request);
            self.mobility.suspect(peer);
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
        let path = arrived.path;
        let nat = NotifyType::NAT_DETECTION_SOURCE_IP
            .is_in(payloads)
            .then(|| Nat::detect(path, arrived.message.header.spis, payloads));
        let update = self.state.address.update(path, nat);
        if update.moved_from.is_some() {
            self.state.channel.longest = self.state.channel.longest.map(|_| longest_message(path.peer));
            self.report_move(update.moved_from, out);
        }
        update.changes_outer
    }

    /// Has the peer asked whether it receives where it says it is.
    pub(super) fn queue_check(&mut self, cx: &mut Context<'_>) {
        let is_check = |request| matches!(request, Request::CheckPath(_));
        if self.state.address.is_unchecked() && !self.liveness.has(is_check) {
            self.liveness.push(Request::CheckPath(cx.random()));
        }
    }

    /// The peer has answered the check.
    pub(super) fn path_checked(&mut self, cookie2: &[u8], payloads: &[Payload<'_>], cx: &mut Context<'_>) {
        let returned = payloads.iter().any(|payload| {
            matches!(payload, Payload::Notify(notify) if notify.kind == NotifyType::COOKIE2 && notify.data == cookie2)
        });
        // "If the values do not match, the IKE_SA MUST be closed."
        if !returned {
            return self.close(Ending::WrongCookie2, cx);
        }
        self.mobility.handle_checked(&mut self.state.address);
    }

    /// What lets every edge send to where the peer is; `None` if that is known, or was said a moment ago.
    pub(super) fn follow(&mut self, now: Instant) -> Option<Vec<Change>> {
        let last_heard = self.liveness.last_heard();
        let outer = self.mobility.follow(&mut self.state.address, last_heard, now)?;
        let (path, udp_encap) = (outer.path, outer.udp_encap);
        let update = |inbound_spi| Change::UpdateChild {
            inbound_spi,
            update: ChildUpdate::Path { path, udp_encap },
        };
        Some(self.state.children.installed().map(update).collect())
    }

    /// The peer was told in IKE_AUTH to go to another gateway (RFC 5685 section 6).
    pub(crate) fn note_redirected(&mut self, to: Gateway, ends: Instant) {
        self.redirect = Some(Box::new(Redirect::new(to, Some(ends))));
    }

    /// Brings in line what the peer knows with what the operator wants, and sees to the end of what was told. A peer that goes
    /// where it is sent and comes back has no more time for that.
    pub(super) fn follow_operator(&mut self, cx: &mut Context<'_>) {
        let tunnel = cx.tunnels.get(self.state.tunnel());
        let wanted = tunnel.and_then(|tunnel| tunnel.redirect.as_ref());
        let from_here = tunnel.and_then(|tunnel| tunnel.redirect_from(self.state.address.path().local.ip()));
        let redirect = self.redirect.as_deref_mut().filter(|it| Some(it.to()) == wanted);
        match redirect.map(|redirect| redirect.follow(from_here.is_none(), cx.now)) {
            Some(Followed::InTime) => {}
            Some(Followed::Late) => self.close(Ending::Redirected, cx),
            None => {
                self.redirect = None;
                if let Some(to) = from_here.cloned() {
                    self.redirect_to(to, cx);
                }
            }
        }
    }

    /// Whether a peer that was to be told need not be any more: it has gone there, or the operator has changed its mind.
    pub(super) fn is_redirect_moot(&self) -> bool {
        self.redirect
            .as_ref()
            .is_none_or(|redirect| redirect.is_followed())
    }

    /// "If the IKE_SA_INIT request did not indicate support for the redirect mechanism, the responder MUST NOT send the
    /// REDIRECT payload to the VPN client. This is applicable to all REDIRECT scenarios" (RFC 5685 section 3).
    fn redirect_to(&mut self, to: Gateway, cx: &mut Context<'_>) {
        let ends = self
            .state
            .follows_redirects()
            .then(|| cx.now + cx.config.limits.redirect_patience);
        self.report(
            match ends {
                Some(_) => What::Redirected(to.clone()),
                None => What::NotRedirected(to.clone()),
            },
            cx.out,
        );
        // One that waits says where to when it leaves.
        if ends.is_some() && !self.liveness.waits(|it| it == Request::Redirect) {
            self.liveness.push(Request::Redirect);
        }
        self.redirect = Some(Box::new(Redirect::new(to, ends)));
    }
}
