//! How a customer's router is set up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::negotiation::proposals::{additional_key_exchange, esp_transforms, ike_transforms};
use crate::wire::{Proposal, Protocol, Transform, TransformType};
use crate::{
    Certificates, Cipher, Credentials, DhGroup, EspSuite, Identity, IkeSuite, Kem, Path, Ppk, Prf, Secret,
    TrafficSelector, Tunnel,
};

/// A customer's configuration, and the ways it may misbehave.
#[derive(Clone, Debug)]
pub struct Customer {
    /// Its own address and the fleet's, ports included, as it believes.
    pub path: Path,
    /// Who it says it is.
    pub id: Identity,
    /// Whom it asks for by IDr; `None`: nobody in particular.
    pub peer_id: Option<Identity>,
    /// Its pre-shared key.
    pub psk: Secret,
    /// Its post-quantum pre-shared key.
    pub ppk: Option<Ppk>,
    /// What it proves who it is with instead of the key, and whom it believes.
    pub certificates: Option<Arc<Certificates>>,
    /// It signs by PKCS#1 version 1.5 where it has the choice, and not by PSS.
    pub prefers_pkcs1: bool,
    /// Numbers of the hash algorithms it announces; `None`: it does not know RFC 7427.
    pub hash_algorithms: Option<Vec<u16>>,
    /// Suites for the IKE SA, each a proposal; the first one's group is its guess for KE.
    pub ike: Vec<IkeSuite>,
    /// An additional key exchange: each suite of `ike` is proposed with it, and then without.
    pub kem: Option<Kem>,
    /// Suites for the child SA, each a proposal.
    pub esp: Vec<EspSuite>,
    /// What it proposes about extended sequence numbers.
    pub esn: Esn,
    /// Behind it: TSi.
    pub local_ts: Vec<TrafficSelector>,
    /// Behind the fleet: TSr.
    pub remote_ts: Vec<TrafficSelector>,
    /// It sends INITIAL_CONTACT.
    pub initial_contact: bool,
    /// It says that it takes fragments (RFC 7383).
    pub takes_fragments: bool,
    /// It says that it follows redirects (RFC 5685).
    pub follows_redirects: bool,
    /// The gateway that has sent it here.
    pub sent_by: Option<Ipv4Addr>,
}

/// A customer's proposals about extended sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Esn {
    /// Without them.
    No,
    /// With them or without.
    Either,
    /// With them only.
    Only,
}

impl Customer {
    /// One that gets a tunnel: the number tells customers, their keys, addresses and selectors apart.
    pub fn new(number: u8) -> Self {
        Self {
            path: Path {
                local: socket([198, 51, 100, number]),
                peer: socket([203, 0, 113, 1]),
            },
            id: Identity::Fqdn(format!("cpe{number}.example")),
            peer_id: None,
            psk: Secret::new(format!("secret {number}").into_bytes()),
            ppk: None,
            certificates: None,
            prefers_pkcs1: false,
            hash_algorithms: Some(vec![2, 3, 4, 5]),
            ike: usual_suites(),
            kem: None,
            esp: [Cipher::Aes256Gcm16, Cipher::Aes128Gcm16]
                .map(EspSuite::Encrypted)
                .to_vec(),
            esn: Esn::No,
            local_ts: vec![net([10, number, 0, 0])],
            remote_ts: vec![net([192, 168, 0, 0])],
            initial_contact: false,
            takes_fragments: true,
            follows_redirects: false,
            sent_by: None,
        }
    }

    /// The tunnel that suits it, called "tunnel", and its number.
    pub fn tunnel(&self) -> Tunnel {
        Tunnel {
            name: format!("tunnel of {}", self.id),
            remote_id: self.id.clone(),
            local_id: self.peer_id.clone(),
            credentials: Credentials::Psk(self.psk.clone()),
            ppk: self.ppk.clone(),
            esp: self.esp.clone(),
            local_ts: self.remote_ts.clone(),
            remote_ts: self.local_ts.clone(),
            addresses: Vec::new(),
            redirect: None,
        }
    }

    pub(super) fn ike_proposals(&self) -> Vec<Proposal<'static>> {
        let choices = self.ike_choices();
        let numbered = choices.into_iter().zip(1..);
        let proposals = numbered.map(|((suite, kem), number)| {
            let mut transforms = ike_transforms(suite);
            transforms.extend(kem.map(additional_key_exchange));
            Proposal {
                number,
                protocol: Protocol::Ike,
                spi: &[],
                transforms,
            }
        });
        proposals.collect()
    }

    /// What each proposal means.
    pub(super) fn ike_choices(&self) -> Vec<(IkeSuite, Option<Kem>)> {
        let with_kem = self
            .kem
            .into_iter()
            .flat_map(|kem| self.ike.iter().map(move |suite| (*suite, Some(kem))));
        with_kem
            .chain(self.ike.iter().map(|suite| (*suite, None)))
            .collect()
    }

    pub(super) fn esp_proposals<'a>(&self, spi: &'a [u8; 4]) -> Vec<Proposal<'a>> {
        let numbered = self.esp.iter().zip(1..);
        let proposals = numbered.map(|(suite, number)| {
            let mut transforms = esp_transforms(*suite);
            transforms.retain(|transform| transform.kind != TransformType::ExtendedSequenceNumbers);
            let esn = self.esn.transform_ids().iter();
            transforms.extend(esn.map(|id| Transform::new(TransformType::ExtendedSequenceNumbers, *id)));
            Proposal {
                number,
                protocol: Protocol::Esp,
                spi,
                transforms,
            }
        });
        proposals.collect()
    }
}

impl Esn {
    fn transform_ids(self) -> &'static [u16] {
        match self {
            Self::No => &[0],
            Self::Either => &[1, 0],
            Self::Only => &[1],
        }
    }
}

/// What a router would propose that leaves the choice to us.
fn usual_suites() -> Vec<IkeSuite> {
    let mut suites = Vec::new();
    for dh in [DhGroup::Curve25519, DhGroup::P256, DhGroup::P384] {
        for cipher in [Cipher::Aes256Gcm16, Cipher::Aes128Gcm16] {
            for prf in [Prf::HmacSha256, Prf::HmacSha384, Prf::HmacSha512] {
                suites.push(IkeSuite { cipher, prf, dh });
            }
        }
    }
    suites
}

fn socket(ip: [u8; 4]) -> SocketAddr {
    SocketAddr::from((ip, 500))
}

/// A /16.
fn net([a, b, _, _]: [u8; 4]) -> TrafficSelector {
    let [first, last] = [[a, b, 0, 0], [a, b, 255, 255]].map(IpAddr::from);
    let any = (TrafficSelector::ANY_PROTOCOL, TrafficSelector::ANY_PORT);
    TrafficSelector::new(any.0, any.1, first, last).expect("a range")
}
