//! From the small initiator to a peer that can do all that we can: a responder goes on with its IKE SA.

use super::Initiator;
use crate::ike_sa::child_sas::{Child, Children, Phase};
use crate::ike_sa::state::State;
use crate::message::channel::{Channel, Role};
use crate::message::fragments::longest_message;
use crate::message::window::Window;
use crate::negotiation::nat::{Nat, Outer};
use crate::testkit::UNIX_TIME;
use crate::{IkeSpis, Secret};

impl Initiator {
    /// For [`crate::Responder::handle_restore`], in the name of a tunnel that it knows; `None` before there is an IKE SA
    /// with a child SA. To be taken right after IKE_AUTH.
    pub(crate) fn handover(&self, tunnel: &str) -> Option<Secret> {
        let (session, child) = (self.session.as_ref()?, self.child.as_ref()?);
        let keys = session.keys.clone();
        // Its own SPI stands in the second place, as in every responder's view.
        let spis = IkeSpis {
            initiator: session.spis.responder,
            responder: session.spis.initiator,
        };
        let cipher = self.init.suite.cipher;
        let longest = self
            .customer
            .takes_fragments
            .then(|| longest_message(self.path.peer));
        let mut children = Children::default();
        children.push(Child::new(child, Phase::Active, UNIX_TIME.as_secs()));
        let state = State {
            suite: self.init.suite,
            sk_d: keys.sk_d,
            channel: Channel::new(
                spis,
                Role::Initiator,
                cipher,
                longest,
                (keys.sk_ei, keys.sk_er),
                0,
            ),
            tunnel: tunnel.to_owned(),
            remote_id: self.customer.id.clone(),
            path: self.path,
            nat: Nat::default(),
            outer: Outer::new(self.path, Nat::default()),
            mobike: false,
            unchecked: false,
            follows_redirects: false,
            follows_up: self.customer.kem.is_some(),
            peer_token: None,
            window: Window::default(),
            next_request: session.next_request,
            children,
            made: UNIX_TIME.as_secs(),
            exchange: None,
            follow_up: None,
            replaced: None,
        };
        Some(state.record(false).snapshot)
    }
}
