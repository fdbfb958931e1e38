//! What of an established IKE SA outlives the process that runs it.
//!
//! Each part is the durable half of a type that changes it: [`PeerAddress`] of mobility, [`NextMessageId`] of liveness,
//! [`RekeyState`] of rekeying. How the whole is encoded stands in [`snapshot`].

pub(in crate::ike_sa) mod shared;
pub(crate) mod snapshot;
mod version_8;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::crypto::IkeKeys;
use crate::ike_sa::child_sas::{Child, ChildPhase, Children};
use crate::ike_sa::create_child_sa::pending::Exchange;
use crate::ike_sa::create_child_sa::rekeying::RekeyState;
use crate::ike_sa::liveness::message_id::NextMessageId;
use crate::ike_sa::mobility::PeerAddress;
use crate::message::channel::{Channel, Ivs};
use crate::message::window::Window;
use crate::negotiation::child_sa::Parent;
use crate::negotiation::selectors::Selectors;
use crate::{ChildSa, Identity, IkeSpis, IkeSuite, Secret};

/// What was agreed on when the IKE SA was made, and does not change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Parameters {
    pub(crate) suite: IkeSuite,
    /// For the child SAs of CREATE_CHILD_SA (RFC 7296 section 2.17).
    pub(crate) sk_d: Secret,
    /// The [`crate::Tunnel::name`].
    #[serde(with = "shared")]
    pub(crate) tunnel: Arc<str>,
    #[serde(with = "shared")]
    pub(crate) remote_id: Arc<Identity>,
    /// The peer follows REDIRECT (RFC 5685).
    pub(crate) follows_redirects: bool,
    /// When it was made, in seconds of Unix time.
    pub(crate) made: u64,
}

/// The state of an IKE SA.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    parameters: Parameters,
    pub(crate) channel: Channel,
    /// Of the peer's requests, with the reply to the last.
    pub(crate) window: Window,
    pub(in crate::ike_sa) next_request: NextMessageId,
    pub(in crate::ike_sa) address: PeerAddress,
    pub(in crate::ike_sa) children: Children,
    pub(in crate::ike_sa) rekeys: RekeyState,
    /// What the peer has made in the place of the SA that our own exchange is to replace; only beside such an exchange.
    peer_replacement: Option<Box<PeerReplacement>>,
    /// By which the peer says that it has lost the IKE SA (RFC 6290).
    peer_token: Option<Secret>,
}

/// The peer's SA of a simultaneous rekey (RFC 7296 section 2.8.1).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PeerReplacement {
    /// Of the two nonces of its exchange: "the SA created with the lowest of the four nonces used in the two exchanges SHOULD be
    /// closed by the endpoint that created it" (RFC 7296 section 2.8.1).
    pub(in crate::ike_sa) lowest_nonce: Vec<u8>,
    pub(in crate::ike_sa) sa: ReplacementSa,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ReplacementSa {
    /// By its inbound SPI.
    Child(u32),
    /// It does not run before it is known which of both survives.
    Ike(Box<State>),
}

impl PeerReplacement {
    /// Inbound SPI of a child SA.
    pub(in crate::ike_sa) fn child(&self) -> Option<u32> {
        match self.sa {
            ReplacementSa::Child(spi) => Some(spi),
            ReplacementSa::Ike(_) => None,
        }
    }

    fn ike(&self) -> Option<&State> {
        match &self.sa {
            ReplacementSa::Child(_) => None,
            ReplacementSa::Ike(state) => Some(state),
        }
    }
}

impl State {
    /// Of an IKE SA that IKE_AUTH has made, with a peer that knows additional key exchanges behind others if it `follows_up`.
    pub(crate) fn after_auth(
        parameters: Parameters,
        channel: Channel,
        window: Window,
        address: PeerAddress,
        follows_up: bool,
        peer_token: Option<Secret>,
    ) -> Self {
        Self {
            parameters,
            channel,
            window,
            next_request: NextMessageId::default(),
            address,
            children: Children::default(),
            rekeys: RekeyState::new(follows_up),
            peer_replacement: None,
            peer_token,
        }
    }

    pub(crate) fn spis(&self) -> IkeSpis {
        self.channel.spis
    }

    pub(crate) fn tunnel(&self) -> &str {
        &self.parameters.tunnel
    }

    pub(crate) fn remote_id(&self) -> &Identity {
        &self.parameters.remote_id
    }

    pub(crate) fn suite(&self) -> IkeSuite {
        self.parameters.suite
    }

    pub(crate) fn sk_d(&self) -> &Secret {
        &self.parameters.sk_d
    }

    pub(crate) fn follows_redirects(&self) -> bool {
        self.parameters.follows_redirects
    }

    /// When it was made, in seconds of Unix time.
    pub(crate) fn made(&self) -> u64 {
        self.parameters.made
    }

    /// Where the peer is.
    pub(crate) fn address(&self) -> &PeerAddress {
        &self.address
    }

    /// IKE_AUTH has made a child SA, with selectors that may be the `usual` ones of its tunnel.
    pub(crate) fn add_first_child(&mut self, sa: &ChildSa, usual: &Arc<Selectors>) {
        let child = Child::new(sa, ChildPhase::Active, self.parameters.made);
        self.children.push(child.sharing(usual));
    }

    /// Our requests before this one have been answered.
    #[cfg(test)]
    pub(crate) fn continuing_with(mut self, next_request: u32) -> Self {
        self.next_request = NextMessageId::new(next_request);
        self
    }

    /// True while an exchange of ours rekeys an SA.
    #[cfg(test)]
    pub(crate) fn has_exchange(&self) -> bool {
        self.rekeys.exchange().is_some()
    }

    /// True when another IKE SA has taken its place.
    #[cfg(test)]
    pub(crate) fn is_replaced(&self) -> bool {
        self.rekeys.is_replaced()
    }

    pub(crate) fn peer_token(&self) -> Option<&Secret> {
        self.peer_token.as_ref()
    }

    /// Keeps the token that the peer gives, if it gives one, in the place of the one before. True if that is another.
    pub(in crate::ike_sa) fn take_peer_token(&mut self, given: Option<Secret>) -> bool {
        let is_another = given.is_some() && given != self.peer_token;
        if is_another {
            self.peer_token = given;
        }
        is_another
    }

    /// Of its child SAs, and of those that it is about to make.
    pub(crate) fn inbound_spis(&self) -> impl Iterator<Item = u32> {
        self.children.installed().chain(self.rekeys.pending_children())
    }

    /// Our SPIs of the IKE SAs that exchanges under way may make: the peer may have one already.
    pub(in crate::ike_sa) fn promised_spis(&self) -> impl Iterator<Item = u64> {
        let by_peer = self.peer_replacement.iter().filter_map(|peers| peers.ike());
        self.rekeys
            .promised_spis()
            .chain(by_peer.map(|state| state.spis().responder))
    }

    /// Our exchange, which has ended, and what the peer has made for the same purpose.
    pub(in crate::ike_sa) fn take_exchange(&mut self) -> Option<(Exchange, Option<PeerReplacement>)> {
        let peers = self.peer_replacement.take();
        let peers = peers.map(|peers| *peers);
        self.rekeys.take_exchange().map(|exchange| (exchange, peers))
    }

    /// The peer has made an SA for the purpose of our exchange.
    pub(in crate::ike_sa) fn note_peer_replacement(&mut self, peers: PeerReplacement) {
        self.peer_replacement = Some(Box::new(peers));
    }

    /// The fleet does not take what the peer has made.
    pub(in crate::ike_sa) fn forget_peer_replacement(&mut self, is_it: impl Fn(&PeerReplacement) -> bool) {
        self.peer_replacement.take_if(|peers| is_it(peers));
    }

    /// The state of an IKE SA that rekeys this one: it "inherits all of the original IKE SA's Child SAs" in due time (RFC 7296
    /// section 2.8), and "has its message counters set to 0" (section 1.3.2).
    pub(in crate::ike_sa) fn replacement(
        &self,
        suite: IkeSuite,
        keys: IkeKeys,
        channel: Channel,
        made: u64,
        peer_token: Option<Secret>,
    ) -> Self {
        Self {
            parameters: Parameters {
                suite,
                sk_d: keys.sk_d,
                made,
                ..self.parameters.clone()
            },
            channel,
            window: Window::default(),
            next_request: NextMessageId::default(),
            address: self.address.clone(),
            children: Children::default(),
            rekeys: self.rekeys.of_replacement(),
            peer_replacement: None,
            peer_token,
        }
    }

    /// What its child SAs take from it.
    pub(crate) fn parent(&self) -> Parent<'_> {
        Parent {
            spis: self.spis(),
            tunnel: &self.parameters.tunnel,
            outer: self.address.outer(),
            prf: self.parameters.suite.prf,
            sk_d: &self.parameters.sk_d,
        }
    }

    /// IVs for keys that another process may have used, this one up to `used`.
    pub(crate) fn refresh_ivs(&mut self, incarnation: u32, used: u32) {
        self.channel.ivs = Ivs::new(incarnation, used);
        if let Some(peers) = &mut self.peer_replacement
            && let ReplacementSa::Ike(state) = &mut peers.sa
        {
            state.refresh_ivs(incarnation, used);
        }
    }
}
