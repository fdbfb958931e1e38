//! The words the responder and its caller exchange.

pub(crate) mod events;
pub(crate) mod refusals;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ike_types::{EspSuite, Gateway, Identity, IkeSpis, Path, PpkId, Secret, Slot, TrafficSelector};

use crate::IkePolicy;
use crate::certificate::Certificates;

/// What the responder needs from outside itself at the moment it acts.
pub trait Host {
    /// Fills `buffer` with unpredictable bytes.
    fn fill_random(&mut self, buffer: &mut [u8]);

    /// True when the fleet knows a child SA, or a tombstone of one, with this inbound ESP SPI.
    fn is_esp_spi_taken(&self, spi: u32) -> bool;

    /// True when it is certain that no edge runs an IKE SA with this responder SPI, which carries this edge's slot, nor can one
    /// come up: this edge has all of the fleet's records, and there is none of it. Needed for RFC 6290 section 9.2.
    fn is_ike_sa_gone(&self, responder_spi: u64) -> bool;

    /// Time since the beginning of 1970, by which certificates are valid or not. Edges whose clocks differ by more than a
    /// minute refuse each other's cookies (RFC 7296 section 2.6).
    fn unix_time(&self) -> Duration;
}

/// A customer's configuration, as far as IKE is concerned.
#[derive(Clone, Debug)]
pub struct Tunnel {
    /// The operator's name for it, unique in the fleet.
    pub name: String,
    /// What the customer must prove to be.
    pub remote_id: Identity,
    /// What we prove to be; `None` for the anycast address the customer reached.
    pub local_id: Option<Identity>,
    /// How each side proves to be who it is.
    pub credentials: Credentials,
    /// A post-quantum pre-shared key besides.
    pub ppk: Option<Ppk>,
    /// ESP suites the customer may use, most wanted first; NULL only if it stands here.
    pub esp: Vec<EspSuite>,
    /// What lies behind the fleet.
    pub local_ts: Vec<TrafficSelector>,
    /// What lies behind the customer.
    pub remote_ts: Vec<TrafficSelector>,
    /// Given to a customer that asks for addresses of its own (RFC 7296 section 2.19), the same at each time. They ought to lie
    /// within `remote_ts`.
    pub addresses: Vec<IpAddr>,
    /// Where the customer is to go instead (RFC 5685), if it follows redirects.
    pub redirect: Option<Gateway>,
}

/// What the two sides of a tunnel prove with who they are.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A pre-shared key, the same for both (RFC 7296 section 2.15).
    Psk(Secret),
    /// A certificate for each, and their private keys (RFC 7427, RFC 4945).
    Certificates(Arc<Certificates>),
}

/// A post-quantum pre-shared key (RFC 8784): a secret that is mixed into the keys of an IKE SA, so that who breaks its key
/// exchange does not know them yet.
#[derive(Clone, Debug)]
pub struct Ppk {
    /// By which the customer names it.
    pub id: PpkId,
    /// At least 256 bits that nobody can guess (RFC 8784 section 6).
    pub key: Secret,
    /// Nobody gets an IKE SA without it.
    pub required: bool,
}

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
    /// The [`Tunnel::name`] it authenticated for.
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
    /// The [`Tunnel::name`] it belongs to.
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

/// What makes one responder differ from another.
#[derive(Clone, Debug)]
pub struct Config {
    /// In the SPIs it issues.
    pub slot: Slot,
    /// Never given to another process of the fleet, and to this one once: the high half of the IVs it sends.
    pub incarnation: u32,
    /// 32 octets, the same at every edge: masks the slot in responder SPIs, see [`crate::route`], and makes the cookies
    /// of IKE_SA_INIT and the tokens of RFC 6290.
    pub spi_key: Secret,
    /// Peers get tokens, which are shown for IKE SAs that the fleet has lost, and theirs are believed (RFC 6290).
    pub quick_crash_detection: bool,
    /// What IKE SAs may be made of.
    pub ike: IkePolicy,
    /// Durations and bounds.
    pub limits: Limits,
}

/// Durations and bounds an operator may want to change.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// An IKE SA that is not established by then is dropped.
    pub half_open_lifetime: Duration,
    /// IKE SAs in all that are not established.
    pub half_open_max: usize,
    /// Of those, the ones that one source, an IPv4 address or an IPv6 /64, may begin while cookies are asked for.
    pub half_open_per_source: usize,
    /// From so many IKE SAs that are not established on, a cookie is asked for (RFC 7296 section 2.6).
    pub cookie_threshold: usize,
    /// Silence after which the peer is asked whether it lives (RFC 7296 section 2.4).
    pub dpd_interval: Duration,
    /// Child SAs that an IKE SA may have; beyond it NO_ADDITIONAL_SAS answers. Twice as many while they are rekeyed.
    pub children_max: usize,
    /// Age at which we rekey a child SA that the peer has not; `None` for never.
    pub child_lifetime: Option<Duration>,
    /// Age at which we rekey an IKE SA that the peer has not; `None` for never.
    pub ike_lifetime: Option<Duration>,
    /// How long a redirected peer may take to end its IKE SA here, until we do: "sufficient time for the client to set up the
    /// required security associations with the new security gateway" (RFC 5685 section 5).
    pub redirect_patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            half_open_lifetime: Duration::from_secs(30),
            half_open_max: 10_000,
            half_open_per_source: 100,
            cookie_threshold: 500,
            dpd_interval: Duration::from_secs(30),
            children_max: 20,
            // Even a tenth shorter by jitter, they are longer than what routers come with (1 to 12 hours, and 4 to 24): the
            // peer, which knows what its own policy asks for, is the first to rekey.
            child_lifetime: Some(Duration::from_secs(14 * 3600)),
            ike_lifetime: Some(Duration::from_secs(28 * 3600)),
            redirect_patience: Duration::from_secs(60),
        }
    }
}
