//! From the small initiator to a peer that can do all that we can: a responder goes on with its IKE SA.

use std::sync::Arc;

use super::Initiator;
use crate::ike_sa::mobility::PeerAddress;
use crate::ike_sa::state::{Parameters, State};
use crate::message::channel::{Channel, Role};
use crate::message::fragments::longest_message;
use crate::message::window::Window;
use crate::negotiation::nat::Nat;
use crate::negotiation::selectors::Selectors;
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
        let parameters = Parameters {
            suite: self.init.suite,
            sk_d: keys.sk_d,
            tunnel: tunnel.into(),
            remote_id: Arc::new(self.customer.id.clone()),
            follows_redirects: false,
            made: UNIX_TIME.as_secs(),
        };
        let keys = (keys.sk_ei, keys.sk_er);
        let channel = Channel::new(spis, Role::Initiator, cipher, longest, keys, 0);
        let address = PeerAddress::new(self.path, Nat::default(), false);
        let follows_up = self.customer.kem.is_some();
        let window = Window::default();
        let mut state = State::after_auth(parameters, channel, window, address, follows_up, None)
            .continuing_with(session.next_request);
        let usual = Selectors {
            local: child.local_ts.clone(),
            remote: child.remote_ts.clone(),
        };
        state.add_first_child(child, &Arc::new(usual));
        Some(state.record(false).snapshot)
    }
}
