//! What of an established IKE SA outlives the process that runs it, and its form for another to take over.

use postcard::ser_flavors::Size;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::crypto::IkeKeys;
use crate::ike_sa::child_sas::Children;
use crate::ike_sa::create_child_sa::followup::FollowUp;
use crate::ike_sa::create_child_sa::pending::{Exchange, RivalSa};
use crate::message::channel::{Channel, Ivs};
use crate::message::window::Window;
use crate::negotiation::child_sa::Parent;
use crate::negotiation::nat::{Nat, Outer};
use crate::{Identity, IkeSa, IkeSpis, IkeSuite, Path, Secret, Side};

/// First octet of a snapshot: the layout of the postcard encoding behind it.
const VERSION: u8 = 8;

/// The state of an IKE SA.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) suite: IkeSuite,
    /// For the child SAs of CREATE_CHILD_SA (RFC 7296 section 2.17).
    pub(crate) sk_d: Secret,
    pub(crate) channel: Channel,
    pub(crate) tunnel: String,
    pub(crate) remote_id: Identity,
    pub(crate) path: Path,
    pub(crate) nat: Nat,
    /// Of the child SAs, as the fleet has them.
    pub(crate) outer: Outer,
    /// The peer tells its addresses by UPDATE_SA_ADDRESSES (RFC 4555).
    pub(crate) mobike: bool,
    /// It has still to show that it receives at the one it told last.
    pub(crate) unchecked: bool,
    /// The peer follows REDIRECT (RFC 5685).
    pub(crate) follows_redirects: bool,
    /// It knows additional key exchanges, so that our rekeys offer them (RFC 9370).
    pub(crate) follows_up: bool,
    /// By which the peer says that it has lost the IKE SA (RFC 6290).
    pub(crate) peer_token: Option<Secret>,
    /// Of the peer's requests, with the reply to the last.
    pub(crate) window: Window,
    /// Message ID of our next request.
    pub(crate) next_request: u32,
    pub(crate) children: Children,
    /// When it was made, in seconds of Unix time.
    pub(crate) made: u64,
    /// Ours that has no response yet.
    pub(crate) exchange: Option<Box<Exchange>>,
    /// What the peer's CREATE_CHILD_SA has agreed on, until its IKE_FOLLOWUP_KE comes.
    pub(crate) follow_up: Option<Box<FollowUp>>,
    /// A rekeyed IKE SA has taken its place, and who is to delete it (RFC 7296 section 2.8).
    pub(crate) replaced: Option<Side>,
}

impl State {
    pub(crate) fn spis(&self) -> IkeSpis {
        self.channel.spis
    }

    /// Of its child SAs, and of those that it is about to make.
    pub(crate) fn inbound_spis(&self) -> impl Iterator<Item = u32> {
        let pending = self
            .exchange
            .as_ref()
            .and_then(|exchange| exchange.subject.child());
        let granted = self.follow_up.as_ref().and_then(|it| it.granted.child());
        self.children
            .installed()
            .map(|child| child.spis.inbound)
            .chain(pending)
            .chain(granted)
    }

    /// What rekeys this one: it "inherits all of the original IKE SA's Child SAs" in due time (RFC 7296 section 2.8), and
    /// "has its message counters set to 0" (section 1.3.2).
    pub(crate) fn heir(&self, suite: IkeSuite, keys: IkeKeys, channel: Channel, made: u64) -> Self {
        Self {
            suite,
            sk_d: keys.sk_d,
            channel,
            tunnel: self.tunnel.clone(),
            remote_id: self.remote_id.clone(),
            path: self.path,
            nat: self.nat,
            outer: self.outer,
            mobike: self.mobike,
            unchecked: self.unchecked,
            follows_redirects: self.follows_redirects,
            follows_up: self.follows_up,
            peer_token: None,
            window: Window::default(),
            next_request: 0,
            children: Children::default(),
            made,
            exchange: None,
            follow_up: None,
            replaced: None,
        }
    }

    /// How its child SAs ought to travel.
    pub(crate) fn wanted_outer(&self) -> Outer {
        Outer::new(self.path, self.nat)
    }

    /// What its child SAs take from it.
    pub(crate) fn parent(&self) -> Parent<'_> {
        Parent {
            spis: self.spis(),
            tunnel: &self.tunnel,
            outer: self.outer,
            prf: self.suite.prf,
            sk_d: &self.sk_d,
        }
    }

    /// IVs for keys that another process may have used, this one up to `used`.
    pub(crate) fn refresh_ivs(&mut self, incarnation: u32, used: u32) {
        self.channel.ivs = Ivs::new(incarnation, used);
        let rival = self
            .exchange
            .as_mut()
            .and_then(|exchange| exchange.rival.as_mut());
        if let Some(RivalSa::Ike(heir)) = rival.map(|rival| &mut rival.sa) {
            heir.refresh_ivs(incarnation, used);
        }
    }

    /// What the fleet keeps of it.
    pub(crate) fn record(&self, initial_contact: bool) -> IkeSa {
        IkeSa {
            spis: self.spis(),
            tunnel: self.tunnel.clone(),
            remote_id: self.remote_id.clone(),
            path: self.path,
            initial_contact,
            snapshot: self.to_snapshot(),
        }
    }

    fn to_snapshot(&self) -> Secret {
        // Without room for all of it from the start, copies of its keys would stay behind.
        let length = postcard::serialize_with_flavor(self, Size::default()).unwrap_or_default();
        let mut octets = Vec::with_capacity(1 + length);
        octets.push(VERSION);
        // Fails for types that do not know their length, of which there is none in here, and for want of memory.
        let octets = postcard::to_extend(self, octets).unwrap_or_default();
        Secret::new(octets)
    }

    pub(crate) fn from_snapshot(snapshot: &Secret) -> Result<Self, RestoreError> {
        let (&version, octets) = snapshot.expose().split_first().ok_or(RestoreError::Malformed)?;
        if version != VERSION {
            return Err(RestoreError::Version(version));
        }
        match postcard::take_from_bytes(octets) {
            Ok((state, [])) => Ok(state),
            Ok(_) | Err(_) => Err(RestoreError::Malformed),
        }
    }
}

/// Why an IKE SA was not restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// Written by an earlier or a later program.
    #[error("snapshot version {0} is not known")]
    Version(u8),
    /// Not a snapshot.
    #[error("the snapshot is malformed")]
    Malformed,
    /// It runs here already.
    #[error("the IKE SA {:016x} runs here already", .0.responder)]
    Running(IkeSpis),
}
