//! Tunnels.

use std::net::IpAddr;

use proto::{Ppk, Tunnel, TunnelSelector};
use serde::{Deserialize, Serialize};

/// A tunnel. Its credentials stay sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TunnelView {
    /// The operator's.
    pub name: String,
    /// Its number.
    pub id: u16,
    /// Who the customer proves to be.
    pub remote_id: String,
    /// `null`: the anycast address that the customer reached.
    pub local_id: Option<String>,
    /// `psk` or `certificate`.
    pub auth: String,
    /// `null`: it has none.
    pub ppk: Option<PpkView>,
    /// Behind the fleet.
    pub local_ts: Vec<String>,
    /// Behind the customer.
    pub remote_ts: Vec<String>,
    /// Suites, most wanted first.
    pub esp: Vec<String>,
    /// Its name on every edge.
    pub interface: String,
    /// `null`: the edge's own.
    pub netns: Option<String>,
    /// `null`: the kernel's default.
    pub mtu: Option<u32>,
    /// Given to the customer if it asks for one.
    pub addresses: Vec<IpAddr>,
    /// Where the customer is sent.
    pub redirect: Option<String>,
    /// Bytes sent after which a child SA is rekeyed.
    pub rekey_bytes: Option<u64>,
}

/// A post-quantum pre-shared key. The key itself stays sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PpkView {
    /// As the customer's router calls it.
    pub id: String,
    /// Whether a customer without it is refused.
    pub required: bool,
}

impl From<&Ppk> for PpkView {
    fn from(ppk: &Ppk) -> Self {
        Self {
            id: ppk.id.to_string(),
            required: ppk.required,
        }
    }
}

impl From<&Tunnel> for TunnelView {
    fn from(tunnel: &Tunnel) -> Self {
        let texts = |items: &[TunnelSelector]| items.iter().map(ToString::to_string).collect();
        Self {
            name: tunnel.name.to_string(),
            id: tunnel.id.get(),
            remote_id: tunnel.remote_id.to_string(),
            local_id: tunnel.local_id.as_ref().map(ToString::to_string),
            auth: tunnel.auth.to_string(),
            ppk: tunnel.ppk.as_ref().map(PpkView::from),
            local_ts: texts(&tunnel.local_ts),
            remote_ts: texts(&tunnel.remote_ts),
            esp: tunnel.esp.iter().map(ToString::to_string).collect(),
            interface: tunnel.interface.to_string(),
            netns: tunnel.netns.as_ref().map(ToString::to_string),
            mtu: tunnel.mtu,
            addresses: tunnel.addresses.clone(),
            redirect: tunnel.redirect.as_ref().map(ToString::to_string),
            rekey_bytes: tunnel.rekey_bytes,
        }
    }
}
