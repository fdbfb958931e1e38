//! A pair of ESP SAs, as every edge needs it.

use std::net::SocketAddr;

use crate::fields::{list, required};
use crate::{EspSuite, Header, IkeSpis, InboundSpi, Invalid, Name, Timestamp, TrafficSelector, limits, v1};

/// A pair of ESP SAs, their keys apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildSa {
    /// Of the SA towards the fleet: the record's key.
    pub inbound_spi: InboundSpi,
    /// Of the SA towards the customer: at least 256, because RFC 4303 section 2.1 reserves what is below.
    pub outbound_spi: u32,
    /// The IKE SA it belongs to.
    pub ike: IkeSpis,
    /// Name of the tunnel it belongs to.
    pub tunnel: Name,
    /// The anycast address; its port matters with `udp_encap` only.
    pub local: SocketAddr,
    /// The customer's outer address, of the same family; its port matters with `udp_encap` only.
    pub peer: SocketAddr,
    /// ESP travels in UDP between the ports (RFC 3948).
    pub udp_encap: bool,
    /// Of both directions.
    pub suite: EspSuite,
    /// The fleet's side, narrowed.
    pub local_ts: Vec<TrafficSelector>,
    /// The customer's side, narrowed.
    pub remote_ts: Vec<TrafficSelector>,
    /// When it was negotiated.
    pub created: Timestamp,
    /// The kernel removes it then, whatever happens.
    pub expires: Timestamp,
    /// Of a tunnel's child SAs with the same selectors the one with the highest precedence sends, and all of them receive.
    /// 0 is one that replaces another, which goes on sending until the peer is known to be ready (RFC 7296 section 2.8).
    pub precedence: u64,
}

impl ChildSa {
    /// True while it only receives, if there is another one to send.
    pub fn is_standby(&self) -> bool {
        self.precedence == 0
    }
}

const LEAST_SPI: u32 = 256;

impl TryFrom<v1::ChildSa> for ChildSa {
    type Error = Invalid;

    fn try_from(wire: v1::ChildSa) -> Result<Self, Invalid> {
        if wire.outbound_spi < LEAST_SPI {
            return Err(Invalid::new(
                "outbound_spi",
                wire.outbound_spi,
                "is an SPI that RFC 4303 reserves (below 256)",
            ));
        }
        let (local, peer) = parse_path(wire.local, wire.peer)?;
        let created = Timestamp::parse("created_unix_ms", wire.created_unix_ms)?;
        let expires = Timestamp::parse("expires_unix_ms", wire.expires_unix_ms)?;
        if expires <= created {
            return Err(Invalid::new(
                "expires_unix_ms",
                expires.unix_ms(),
                "is not after created_unix_ms",
            ));
        }
        Ok(Self {
            inbound_spi: InboundSpi::try_from(wire.inbound_spi)?,
            outbound_spi: wire.outbound_spi,
            ike: parse_spis(
                ["ike_initiator_spi", "ike_responder_spi"],
                wire.ike_initiator_spi,
                wire.ike_responder_spi,
            )?,
            tunnel: wire.tunnel.parse().map_err(|e: Invalid| e.within("tunnel"))?,
            local,
            peer,
            udp_encap: wire.udp_encap,
            suite: wire.suite.parse()?,
            local_ts: parse_selectors("local_ts", wire.local_ts)?,
            remote_ts: parse_selectors("remote_ts", wire.remote_ts)?,
            created,
            expires,
            precedence: wire.precedence,
        })
    }
}

impl From<&ChildSa> for v1::ChildSa {
    fn from(child: &ChildSa) -> Self {
        Self {
            inbound_spi: child.inbound_spi.get(),
            outbound_spi: child.outbound_spi,
            ike_initiator_spi: child.ike.initiator,
            ike_responder_spi: child.ike.responder,
            tunnel: String::from(&child.tunnel),
            local: Some(child.local.into()),
            peer: Some(child.peer.into()),
            udp_encap: child.udp_encap,
            suite: child.suite.to_string(),
            local_ts: child.local_ts.iter().map(v1::TrafficSelector::from).collect(),
            remote_ts: child.remote_ts.iter().map(v1::TrafficSelector::from).collect(),
            created_unix_ms: child.created.unix_ms(),
            expires_unix_ms: child.expires.unix_ms(),
            precedence: child.precedence,
        }
    }
}

impl Header for ChildSa {
    const NAME: &'static str = "child_sa";
    type Wire = v1::ChildSa;
}

/// Neither is 0 once the IKE SA is established.
pub(crate) fn parse_spis(fields: [&str; 2], initiator: u64, responder: u64) -> Result<IkeSpis, Invalid> {
    for (field, spi) in fields.into_iter().zip([initiator, responder]) {
        if spi == 0 {
            return Err(Invalid::new(
                field,
                spi,
                "is not the SPI of an established IKE SA",
            ));
        }
    }
    Ok(IkeSpis { initiator, responder })
}

/// Both ends of a tunnel's outer side: of one family.
pub(crate) fn parse_path(
    local: Option<v1::Endpoint>,
    peer: Option<v1::Endpoint>,
) -> Result<(SocketAddr, SocketAddr), Invalid> {
    let local = SocketAddr::try_from(required("local", local)?).map_err(|e| e.within("local"))?;
    let peer = SocketAddr::try_from(required("peer", peer)?).map_err(|e| e.within("peer"))?;
    if local.is_ipv4() != peer.is_ipv4() {
        return Err(Invalid::new(
            "peer",
            peer,
            format!("is not of the family of local, {local}"),
        ));
    }
    Ok((local, peer))
}

fn parse_selectors(field: &str, wire: Vec<v1::TrafficSelector>) -> Result<Vec<TrafficSelector>, Invalid> {
    if wire.is_empty() {
        return Err(Invalid::missing(field));
    }
    list(field, wire, limits::SELECTORS, TrafficSelector::try_from)
}
