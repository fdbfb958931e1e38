//! An operator moves the customer to another gateway in the midst of its session (RFC 5685 section 5).

use std::time::Instant;

use super::Established;
use crate::ike_sa::context::Context;
use crate::ike_sa::request_queue::Request;
use crate::{Ending, Gateway, What};

/// What follows from the tunnel's redirect. Not committed: the next owner tells the peer again, which does no harm.
#[derive(Debug)]
pub(super) struct Redirect {
    to: Gateway,
    /// When we end what the peer should have ended; `None` for a peer that does not follow redirects, and stays.
    ends: Option<Instant>,
    /// With MOBIKE the peer has come to where it was sent, another address of the fleet.
    is_followed: bool,
}

impl Redirect {
    fn new(to: Gateway, ends: Option<Instant>) -> Box<Self> {
        let is_followed = false;
        Box::new(Self {
            to,
            ends,
            is_followed,
        })
    }

    pub(super) fn to(&self) -> &Gateway {
        &self.to
    }

    pub(super) fn ends(&self) -> Option<Instant> {
        self.ends.filter(|_| !self.is_followed)
    }
}

impl Established {
    /// The peer was told in IKE_AUTH (section 6).
    pub(crate) fn note_redirected(&mut self, to: Gateway, ends: Instant) {
        self.redirect = Some(Redirect::new(to, Some(ends)));
    }

    /// Brings in line what the peer knows with what the operator wants, and sees to the end of what was told. A peer that goes
    /// where it is sent and comes back has no more time for that.
    pub(super) fn follow_operator(&mut self, cx: &mut Context<'_>) {
        let tunnel = cx.tunnels.get(&self.state.tunnel);
        let wanted = tunnel.and_then(|tunnel| tunnel.redirect.as_ref());
        let from_here = tunnel.and_then(|tunnel| tunnel.redirect_from(self.state.path.local.ip()));
        let Some(redirect) = self.redirect.as_mut().filter(|it| Some(&it.to) == wanted) else {
            self.redirect = None;
            if let Some(to) = from_here.cloned() {
                self.redirect_to(to, cx);
            }
            return;
        };
        redirect.is_followed = from_here.is_none();
        if redirect.ends().is_some_and(|ends| ends <= cx.now) {
            self.close(Ending::Redirected, cx);
        }
    }

    /// Whether a peer that was to be told need not be any more: it has gone there, or the operator has changed its mind.
    pub(super) fn is_redirect_moot(&self) -> bool {
        self.redirect.as_ref().is_none_or(|redirect| redirect.is_followed)
    }

    /// "If the IKE_SA_INIT request did not indicate support for the redirect mechanism, the responder MUST NOT send the
    /// REDIRECT payload to the VPN client. This is applicable to all REDIRECT scenarios" (section 3).
    fn redirect_to(&mut self, to: Gateway, cx: &mut Context<'_>) {
        let ends = self
            .state
            .follows_redirects
            .then(|| cx.now + cx.config.limits.redirect_patience);
        self.report(
            match ends {
                Some(_) => What::Redirected(to.clone()),
                None => What::NotRedirected(to.clone()),
            },
            cx.out,
        );
        // One that waits says where to when it leaves.
        if ends.is_some() && !self.requests.waits(|it| it == Request::Redirect) {
            self.requests.push(Request::Redirect);
        }
        self.redirect = Some(Redirect::new(to, ends));
    }
}
