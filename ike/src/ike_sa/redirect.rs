//! That the peer is told to go to another gateway in the midst of its session (RFC 5685 section 5).

use std::time::Instant;

use crate::Gateway;

/// What follows from the tunnel's redirect. Not committed: the next owner tells the peer again, which does no harm.
#[derive(Debug)]
pub(super) struct Redirect {
    to: Gateway,
    /// When we end what the peer should have ended; `None` for a peer that does not follow redirects, and stays.
    ends: Option<Instant>,
    /// With MOBIKE the peer has come to where it was sent, another address of the fleet.
    is_followed: bool,
}

/// What a peer that was told does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    /// It is there, or still has time.
    InTime,
    /// Its time is over.
    Late,
}

impl Redirect {
    pub(super) fn new(to: Gateway, ends: Option<Instant>) -> Self {
        Self {
            to,
            ends,
            is_followed: false,
        }
    }

    pub(super) fn to(&self) -> &Gateway {
        &self.to
    }

    pub(super) fn is_followed(&self) -> bool {
        self.is_followed
    }

    /// Notes whether the peer is where it was sent.
    pub(super) fn follow(&mut self, is_followed: bool, now: Instant) -> Followed {
        self.is_followed = is_followed;
        match self.ends().is_some_and(|ends| ends <= now) {
            true => Followed::Late,
            false => Followed::InTime,
        }
    }

    /// When the peer's time is over.
    pub(super) fn ends(&self) -> Option<Instant> {
        self.ends.filter(|_| !self.is_followed)
    }
}
