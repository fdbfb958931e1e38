//! Where the peer is: a NAT may give it another address or port (RFC 7296 section 2.23).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Arrived, Established, Phase};
use crate::context::Context;
use crate::outbox::Outbox;
use crate::requests::Request;
use crate::{Change, ChildUpdate, Path, What};

/// The fleet hears of no more moves than one in this time.
const PACE: Duration = Duration::from_secs(1);

impl Established {
    /// Notes an authentic message. If it is known to be `fresh`, a peer behind a NAT is where it came from (RFC 7296
    /// section 2.23).
    pub(super) fn heard(&mut self, arrived: Arrived<'_>, fresh: bool, out: &mut Outbox) {
        self.last_heard = arrived.now;
        let came_along = arrived.path;
        let is_elsewhere = came_along != self.state.path && came_along.local == self.state.path.local;
        if fresh && is_elsewhere && self.state.nat.follows_peer() {
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
        let update = |child: &crate::children::Child| Change::UpdateChild {
            inbound_spi: child.spis.inbound,
            update: ChildUpdate::Path { path, udp_encap },
        };
        Some(self.state.children.iter().map(update).collect())
    }

    /// When the fleet is to hear of the peer's present address; `None` when it has.
    pub(super) fn follows_at(&self) -> Option<Instant> {
        let is_due = self.state.outer != self.state.wanted_outer();
        let earliest = self.followed.map_or(self.last_heard, |followed| followed + PACE);
        is_due.then_some(earliest)
    }
}
