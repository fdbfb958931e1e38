//! What the responder is told before anything happens: its configuration, and that of customers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ike_types::{EspSuite, Gateway, Identity, PpkId, Secret, Slot, TrafficSelector};

use crate::IkePolicy;
use crate::certificate::Certificates;

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

/// What makes one responder differ from another.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// In the SPIs it issues.
    pub slot: Slot,
    /// Never given to another process of the fleet, and to this one once: the high half of the IVs it sends.
    pub incarnation: u32,
    /// 32 octets, the same at every edge: masks the slot in responder SPIs, see [`crate::Router`], and makes the cookies
    /// of IKE_SA_INIT and the tokens of RFC 6290.
    pub spi_key: Secret,
    /// Peers get tokens, which are shown for IKE SAs that the fleet has lost, and theirs are believed (RFC 6290).
    pub quick_crash_detection: bool,
    /// What IKE SAs may be made of.
    pub ike: IkePolicy,
    /// Durations and bounds.
    pub limits: Limits,
}

impl Config {
    /// What differs from edge to edge, and the fleet's key, which see; the rest as it is by default.
    pub fn new(slot: Slot, incarnation: u32, spi_key: Secret) -> Self {
        Self {
            slot,
            incarnation,
            spi_key,
            quick_crash_detection: true,
            ike: IkePolicy::default(),
            limits: Limits::default(),
        }
    }
}

/// Durations and bounds an operator may want to change.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
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
