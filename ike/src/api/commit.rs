//! What the responder wants the whole fleet to know, and what it hears of that.

use ike_types::{EspSuite, Identity, IkeSpis, Path, Secret, TrafficSelector};

/// Names a commit until its end is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(pub u64);

/// What must be true in the whole fleet before the reply that waits for it may leave.
#[derive(Debug)]
pub struct Commit {
    /// To be given back to [`crate::Responder::handle_commit`].
    pub id: CommitId,
    /// The IKE SA it belongs to.
    pub ike: IkeSpis,
    /// All of them take effect together or none does.
    pub changes: Vec<Change>,
}

/// One change to what the fleet knows.
#[derive(Debug)]
pub enum Change {
    /// The IKE SA is new or has changed.
    PutIke(IkeSa),
    /// A child SA to install at every edge.
    PutChild(Box<ChildSa>),
    /// Something about a child SA is different from now on.
    UpdateChild {
        /// Which one.
        inbound_spi: u32,
        /// What.
        update: ChildUpdate,
    },
    /// The child SA with this inbound SPI is gone.
    RemoveChild(u32),
    /// The IKE SA is gone and all its children with it.
    RemoveIke(IkeSpis),
}

/// What can change about a child SA that is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildUpdate {
    /// A child SA in standby sends from now on, in place of those with the same selectors (RFC 7296 section 2.8).
    Activate,
    /// A rekeyed IKE SA inherits it (RFC 7296 section 2.18); the new one is put before it in the same commit.
    MoveTo(IkeSpis),
    /// The peer's address or port is another.
    Path {
        /// The tunnel's outer addresses from now on.
        path: Path,
        /// As [`ChildSa::udp_encap`].
        udp_encap: bool,
    },
}

/// What the fleet knows of an IKE SA; enough for another edge to take it over.
#[derive(Clone, Debug)]
pub struct IkeSa {
    /// Its name.
    pub spis: IkeSpis,
    /// The [`crate::Tunnel::name`] it authenticated for.
    pub tunnel: String,
    /// Who the peer proved to be.
    pub remote_id: Identity,
    /// The addresses in use.
    pub path: Path,
    /// The peer sent INITIAL_CONTACT (RFC 7296 section 2.4): every other IKE SA of `tunnel` is stale.
    pub initial_contact: bool,
    /// For [`crate::Responder::handle_restore`]; holds keys and the cached reply.
    pub snapshot: Secret,
}

/// A pair of ESP SAs, both directions, as the kernel needs it.
#[derive(Clone, Debug)]
pub struct ChildSa {
    /// The IKE SA that negotiated it.
    pub ike: IkeSpis,
    /// The [`crate::Tunnel::name`] it belongs to.
    pub tunnel: String,
    /// Ours: the slot in its high bits.
    pub inbound_spi: u32,
    /// The peer's.
    pub outbound_spi: u32,
    /// The tunnel's outer addresses (and ports, which matter with `udp_encap` only).
    pub path: Path,
    /// ESP travels in UDP between the ports of `path` (RFC 3948).
    pub udp_encap: bool,
    /// The cipher of both directions.
    pub suite: EspSuite,
    /// [`EspSuite::key_len`] octets, peer to fleet.
    pub inbound_key: Secret,
    /// [`EspSuite::key_len`] octets, fleet to peer.
    pub outbound_key: Secret,
    /// Narrowed, the fleet's side.
    pub local_ts: Vec<TrafficSelector>,
    /// Narrowed, the customer's side.
    pub remote_ts: Vec<TrafficSelector>,
    /// It receives, while the one it replaces goes on sending, until [`ChildUpdate::Activate`].
    pub standby: bool,
}

/// How a commit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It is durable, and every live edge has applied it or the deadline has passed: the reply may leave.
    Done,
    /// The fleet refuses it (an SPI conflict, a tunnel that is gone): the exchange fails.
    Refused,
}
