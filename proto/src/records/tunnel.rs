//! A customer's configuration.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::str::FromStr;

use crate::fields::{list, required};
use crate::values::endpoint::{address_octets, parse_address};
use crate::{
    AuthMethod, EspSuite, Gateway, Header, Identity, InterfaceName, Invalid, Name, NetnsName, Ppk,
    TunnelSelector, limits, v1,
};

/// A tunnel's number, 1 to 65535, unique in the fleet: the low bits of the kernel's `if_id` and `reqid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelId(NonZeroU16);

impl TunnelId {
    /// `None` for 0.
    pub fn new(number: u16) -> Option<Self> {
        NonZeroU16::new(number).map(Self)
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl TryFrom<u32> for TunnelId {
    type Error = Invalid;

    fn try_from(number: u32) -> Result<Self, Invalid> {
        let id = u16::try_from(number).ok().and_then(Self::new);
        id.ok_or_else(|| Invalid::new("id", number, "is not a tunnel's number (1 to 65535)"))
    }
}

impl fmt::Display for TunnelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A customer's configuration, its credentials apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// The operator's name for it, unique in the fleet.
    pub name: Name,
    /// Unique in the fleet; a tunnel keeps it for life.
    pub id: TunnelId,
    /// What the customer must prove to be; unique in the fleet.
    pub remote_id: Identity,
    /// What we prove to be; `None` for the anycast address the customer reached.
    pub local_id: Option<Identity>,
    /// Suites the customer may use, most wanted first.
    pub esp: Vec<EspSuite>,
    /// What lies behind the fleet.
    pub local_ts: Vec<TunnelSelector>,
    /// What lies behind the customer; at least one of them and of the others make a packet's two ends.
    pub remote_ts: Vec<TunnelSelector>,
    /// Named network namespace of the inner side; `None`: the edge's own.
    pub netns: Option<NetnsName>,
    /// Name of the xfrm interface.
    pub interface: InterfaceName,
    /// Of the xfrm interface, in octets; `None`: the kernel's default.
    pub mtu: Option<u32>,
    /// How the two sides prove who they are.
    pub auth: AuthMethod,
    /// Given to the customer if it asks (RFC 7296 section 2.19); each lies within one of `remote_ts`.
    pub addresses: Vec<IpAddr>,
    /// Where the customer shall go instead, if it follows redirects.
    pub redirect: Option<Gateway>,
    /// The fleet rekeys a child SA when an edge has sent about as many octets on it; `None`: whatever their number.
    pub rekey_bytes: Option<u64>,
    /// A post-quantum pre-shared key besides: the record's secret holds it too.
    pub ppk: Option<Ppk>,
}

/// The least that IPv4 takes (RFC 791), and the most there is.
const MTU: std::ops::RangeInclusive<u32> = 68..=65_535;

/// The least that IPv6 takes (RFC 8200 section 5).
const IPV6_MTU: u32 = 1280;

impl TryFrom<v1::Tunnel> for Tunnel {
    type Error = Invalid;

    fn try_from(wire: v1::Tunnel) -> Result<Self, Invalid> {
        let esp = list("esp", wire.esp, limits::SUITES, |text| text.parse::<EspSuite>())?;
        if esp.is_empty() {
            return Err(Invalid::missing("esp"));
        }
        let local_ts = parse_selectors("local_ts", wire.local_ts)?;
        let remote_ts = parse_selectors("remote_ts", wire.remote_ts)?;
        check_pairs(&local_ts, &remote_ts)?;
        let carries_ipv6 = remote_ts
            .iter()
            .any(|selector| selector.prefix().addr().is_ipv6());
        let addresses = list("addresses", wire.addresses, limits::ADDRESSES, |octets| {
            parse_inner_address(&octets, &remote_ts)
        })?;
        Ok(Self {
            name: wire.name.parse()?,
            id: TunnelId::try_from(wire.id)?,
            remote_id: required("remote_id", wire.remote_id)?
                .try_into()
                .map_err(|e: Invalid| e.within("remote_id"))?,
            local_id: wire
                .local_id
                .map(Identity::try_from)
                .transpose()
                .map_err(|e| e.within("local_id"))?,
            esp,
            local_ts,
            remote_ts,
            netns: parse_optional(&wire.netns)?,
            interface: wire.interface.parse()?,
            mtu: parse_mtu(wire.mtu, carries_ipv6)?,
            auth: wire.auth.try_into()?,
            addresses,
            redirect: parse_optional(&wire.redirect)?,
            rekey_bytes: parse_rekey_bytes(wire.rekey_bytes)?,
            ppk: wire.ppk.map(Ppk::try_from).transpose()?,
        })
    }
}

impl From<&Tunnel> for v1::Tunnel {
    fn from(tunnel: &Tunnel) -> Self {
        Self {
            name: String::from(&tunnel.name),
            id: tunnel.id.get().into(),
            remote_id: Some(v1::Identity::from(&tunnel.remote_id)),
            local_id: tunnel.local_id.as_ref().map(v1::Identity::from),
            esp: tunnel.esp.iter().map(ToString::to_string).collect(),
            local_ts: tunnel.local_ts.iter().map(ToString::to_string).collect(),
            remote_ts: tunnel.remote_ts.iter().map(ToString::to_string).collect(),
            netns: tunnel.netns.as_ref().map(String::from).unwrap_or_default(),
            interface: String::from(&tunnel.interface),
            mtu: tunnel.mtu.unwrap_or_default(),
            auth: v1::AuthMethod::from(tunnel.auth).into(),
            addresses: tunnel.addresses.iter().copied().map(address_octets).collect(),
            redirect: tunnel
                .redirect
                .as_ref()
                .map(Gateway::to_string)
                .unwrap_or_default(),
            rekey_bytes: tunnel.rekey_bytes.unwrap_or_default(),
            ppk: tunnel.ppk.as_ref().map(v1::Ppk::from),
        }
    }
}

impl Header for Tunnel {
    const NAME: &'static str = "tunnel";
    type Wire = v1::Tunnel;
}

/// `None` for the empty text.
fn parse_optional<T: FromStr<Err = Invalid>>(text: &str) -> Result<Option<T>, Invalid> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some),
    }
}

fn parse_selectors(field: &str, texts: Vec<String>) -> Result<Vec<TunnelSelector>, Invalid> {
    if texts.is_empty() {
        return Err(Invalid::missing(field));
    }
    list(field, texts, limits::TUNNEL_SELECTORS, |text| text.parse())
}

/// A tunnel through which no packet can go is a mistake, and one with more pairs than its kernels take would lose some.
fn check_pairs(local: &[TunnelSelector], remote: &[TunnelSelector]) -> Result<(), Invalid> {
    let of_one = |local: &TunnelSelector| remote.iter().filter(|remote| local.fits(remote)).count();
    match local.iter().map(of_one).sum() {
        0 => {
            let texts: Vec<_> = local.iter().map(ToString::to_string).collect();
            let rule = "has no address family and protocol in common with remote_ts";
            Err(Invalid::new("local_ts", texts.join(" "), rule))
        }
        1..=limits::PAIRS => Ok(()),
        pairs => {
            let rule = format!("pairs with remote_ts are more than {}", limits::PAIRS);
            Err(Invalid::new("local_ts", pairs, rule))
        }
    }
}

/// No packet from an address outside would come through.
fn parse_inner_address(octets: &[u8], remote_ts: &[TunnelSelector]) -> Result<IpAddr, Invalid> {
    let address = parse_address("address", octets)?;
    match remote_ts
        .iter()
        .any(|selector| selector.prefix().contains(&address))
    {
        true => Ok(address),
        false => Err(Invalid::new("address", address, "lies within none of remote_ts")),
    }
}

fn parse_mtu(mtu: u32, carries_ipv6: bool) -> Result<Option<u32>, Invalid> {
    match mtu {
        0 => Ok(None),
        mtu if carries_ipv6 && mtu < IPV6_MTU => Err(Invalid::new(
            "mtu",
            mtu,
            "is too little for the IPv6 in remote_ts (1280)",
        )),
        mtu if MTU.contains(&mtu) => Ok(Some(mtu)),
        mtu => Err(Invalid::new("mtu", mtu, "is not an MTU (68 to 65535)")),
    }
}

fn parse_rekey_bytes(octets: u64) -> Result<Option<u64>, Invalid> {
    match octets {
        0 => Ok(None),
        limits::REKEY_BYTES_LEAST.. => Ok(Some(octets)),
        octets => {
            let rule = format!("is less than {} octets", limits::REKEY_BYTES_LEAST);
            Err(Invalid::new("rekey_bytes", octets, rule))
        }
    }
}
