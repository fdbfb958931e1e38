//! Where the peer is, as it has shown or told, and what of that the fleet knows.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Path;
use crate::negotiation::nat::{Nat, Outer};

/// The fleet hears of no more moves than one in this time.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);

/// The durable half of [`Mobility`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "RecordedAddress", into = "RecordedAddress")]
pub(crate) struct PeerAddress {
    path: Path,
    nat: Nat,
    /// That of the child SAs, as the fleet has them; `None` when it is the same, as it is most of the time.
    outer_path: Option<Box<Path>>,
    /// Likewise of the child SAs.
    udp_encap: bool,
    /// The peer tells its addresses by UPDATE_SA_ADDRESSES (RFC 4555).
    mobike: bool,
    /// It has still to show that it receives at the one it told last.
    unchecked: bool,
}

/// As it stands in a snapshot.
#[derive(Serialize, Deserialize)]
struct RecordedAddress {
    path: Path,
    nat: Nat,
    outer: Outer,
    mobike: bool,
    unchecked: bool,
}

impl From<RecordedAddress> for PeerAddress {
    fn from(recorded: RecordedAddress) -> Self {
        let RecordedAddress {
            path,
            nat,
            outer,
            mobike,
            unchecked,
        } = recorded;
        Self::recorded((path, nat), outer, mobike, unchecked)
    }
}

impl From<PeerAddress> for RecordedAddress {
    fn from(address: PeerAddress) -> Self {
        Self {
            path: address.path,
            nat: address.nat,
            outer: address.outer(),
            mobike: address.mobike,
            unchecked: address.unchecked,
        }
    }
}

/// What an UPDATE_SA_ADDRESSES changes.
pub(super) struct Update {
    /// Where the peer was before, if it is elsewhere now.
    pub(super) moved_from: Option<SocketAddr>,
    /// The child SAs have to travel in another way.
    pub(super) changes_outer: bool,
}

impl PeerAddress {
    /// As IKE_AUTH has shown it.
    pub(crate) fn new(path: Path, nat: Nat, mobike: bool) -> Self {
        Self::recorded((path, nat), Outer::new(path, nat), mobike, false)
    }

    /// As a snapshot has it.
    pub(in crate::ike_sa) fn recorded(
        (path, nat): (Path, Nat),
        outer: Outer,
        mobike: bool,
        unchecked: bool,
    ) -> Self {
        Self {
            path,
            nat,
            outer_path: (outer.path != path).then(|| Box::new(outer.path)),
            udp_encap: outer.udp_encap,
            mobike,
            unchecked,
        }
    }

    /// The addresses that messages travel between.
    pub(crate) fn path(&self) -> Path {
        self.path
    }

    /// How the child SAs travel, as far as the fleet knows.
    pub(crate) fn outer(&self) -> Outer {
        Outer {
            path: self.outer_path.as_deref().copied().unwrap_or(self.path),
            udp_encap: self.udp_encap,
        }
    }

    fn set_outer(&mut self, outer: Outer) {
        self.outer_path = (outer.path != self.path).then(|| Box::new(outer.path));
        self.udp_encap = outer.udp_encap;
    }

    pub(super) fn has_mobike(&self) -> bool {
        self.mobike
    }

    /// True when the peer has to be asked whether it receives where it says it is (RFC 4555 section 3.7).
    pub(super) fn is_unchecked(&self) -> bool {
        self.unchecked
    }

    fn wanted_outer(&self) -> Outer {
        Outer::new(self.path, self.nat)
    }

    fn move_to(&mut self, path: Path) -> SocketAddr {
        let outer = self.outer();
        let before = std::mem::replace(&mut self.path, path);
        self.set_outer(outer);
        before.peer
    }

    /// The peer says that it is at `path` from now on (RFC 4555 section 3.5), and what `nat` there is, if it detects any.
    pub(super) fn update(&mut self, path: Path, nat: Option<Nat>) -> Update {
        let before = self.wanted_outer();
        self.nat = nat.unwrap_or(self.nat);
        let moved_from = (path != self.path).then(|| {
            self.unchecked = true;
            self.move_to(path)
        });
        Update {
            moved_from,
            changes_outer: self.wanted_outer() != before,
        }
    }
}

/// What this owner knows besides of where the peer is.
#[derive(Debug, Default)]
pub(super) struct Mobility {
    /// When the fleet was last told where the peer is now.
    followed: Option<Instant>,
    /// Where a kernel has seen the peer, which has been asked there.
    suspected: Option<Box<SocketAddr>>,
    /// Where the check of the peer's path was sent first.
    checking: Option<Box<Path>>,
}

impl Mobility {
    /// An authentic message came along `path`. If it is known to be `fresh`, a peer behind a NAT is where it came from (RFC 7296
    /// section 2.23). Returns where the peer was before, if that is elsewhere.
    pub(super) fn handle_message(
        &mut self,
        address: &mut PeerAddress,
        path: Path,
        fresh: bool,
    ) -> Option<SocketAddr> {
        let is_elsewhere = path != address.path && path.local == address.path.local;
        // With MOBIKE "the host not behind a NAT MUST NOT use these dynamic updates for IKEv2 packets, but MAY use them for ESP
        // packets" (RFC 4555 section 3.8).
        let is_allowed = !address.mobike || self.suspected.as_deref() == Some(&path.peer);
        if !(fresh && is_elsewhere && is_allowed && address.nat.follows_peer()) {
            return None;
        }
        self.suspected = None;
        Some(address.move_to(path))
    }

    /// Whether a packet from `peer` that a kernel has had calls for a question there.
    pub(super) fn is_suspicious(&self, address: &PeerAddress, peer: SocketAddr) -> bool {
        peer != address.path.peer && address.nat.follows_peer()
    }

    /// The peer has been asked there.
    pub(super) fn suspect(&mut self, peer: SocketAddr) {
        self.suspected = Some(Box::new(peer));
    }

    /// The check of the peer's path leaves for the first time.
    pub(super) fn check(&mut self, address: &PeerAddress) {
        self.checking = Some(Box::new(address.path));
    }

    /// The peer has answered the check. "If the same INFORMATIONAL request has been sent to several different addresses [...] a
    /// new INFORMATIONAL request needs to be sent to check return routability" (RFC 4555 section 3.7).
    pub(super) fn handle_checked(&mut self, address: &mut PeerAddress) {
        if self.checking.take().as_deref() == Some(&address.path) {
            address.unchecked = false;
        }
    }

    /// How the child SAs travel from now on; `None` if the fleet knows, or was told of another address a moment ago.
    pub(super) fn follow(
        &mut self,
        address: &mut PeerAddress,
        last_heard: Instant,
        now: Instant,
    ) -> Option<Outer> {
        if self.follow_at(address, last_heard)? > now {
            return None;
        }
        self.followed = Some(now);
        let outer = address.wanted_outer();
        address.set_outer(outer);
        Some(outer)
    }

    /// The fleet has not taken what [`Self::follow`] gave: for it the child SAs travel as `before`.
    pub(super) fn undo_follow(&mut self, address: &mut PeerAddress, before: Outer, now: Instant) {
        self.followed = Some(now);
        address.set_outer(before);
    }

    /// When the fleet is to hear of the peer's present address; `None` when it has.
    pub(super) fn follow_at(&self, address: &PeerAddress, last_heard: Instant) -> Option<Instant> {
        let is_due = !address.unchecked && address.outer() != address.wanted_outer();
        let earliest = self
            .followed
            .map_or(last_heard, |followed| followed + FOLLOW_INTERVAL);
        is_due.then_some(earliest)
    }
}
