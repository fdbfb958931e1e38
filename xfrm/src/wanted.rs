//! What the kernel ought to hold.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::SystemTime;

use ipnet::IpNet;

use crate::Cipher;

/// The high half of every `if_id` and `reqid` that is ours ("SW").
pub const MARK: u32 = 0x5357_0000;

/// A tunnel's number: the low half of its `if_id` and `reqid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelId(pub u16);

impl TunnelId {
    /// `if_id` of the interface and its policies and SAs, and their `reqid`.
    pub fn if_id(self) -> u32 {
        MARK | u32::from(self.0)
    }

    /// `None` for an `if_id` that is not ours.
    pub fn from_if_id(if_id: u32) -> Option<Self> {
        u16::try_from(if_id ^ MARK).ok().map(Self)
    }
}

/// The inner side of a tunnel: an xfrm interface and the routes into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Name of the interface.
    pub interface: String,
    /// Named network namespace the interface lives in; SAs and policies stay in the edge's own. `None`: the edge's own.
    pub netns: Option<String>,
    /// `None`: the kernel's default.
    pub mtu: Option<u32>,
    /// Prefixes behind the customer, routed into the interface.
    pub routes: Vec<IpNet>,
    /// [`crate::Notice::NearLimit`] tells when an outbound SA has sent about as many bytes; `None`: never for that reason.
    pub rekey_bytes: Option<u64>,
}

/// A pair of ESP SAs and the policies that use them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Whose it is.
    pub tunnel: TunnelId,
    /// Of the SA towards `local`; unique in the fleet.
    pub inbound_spi: u32,
    /// Of the SA towards `peer`.
    pub outbound_spi: u32,
    /// Our outer address, the anycast one.
    pub local: IpAddr,
    /// The customer's outer address.
    pub peer: IpAddr,
    /// ESP in UDP (RFC 3948).
    pub encap: Option<UdpEncap>,
    /// Cipher and key of the SA towards `local`.
    pub inbound: Cipher,
    /// Cipher and key of the SA towards `peer`.
    pub outbound: Cipher,
    /// Pairs of (our prefix, the customer's prefix, ...), a policy each per direction.
    pub selectors: Vec<Selector>,
    /// Of two children of a tunnel with an equal selector, the one with the higher precedence owns its policies, so that
    /// it is the one that sends; both receive. The revision of the record that made it the sender does well.
    pub precedence: u64,
    /// When it was negotiated: of two children that name the same outbound SA, the older one has it.
    pub created: SystemTime,
    /// Tell by [`crate::Notice::Used`] that the peer has begun to send on the inbound SA.
    pub report_use: bool,
    /// The kernel removes both SAs then, whatever becomes of this process. Moved ahead as the lease is renewed.
    pub expires: SystemTime,
    /// Hard limit of packets this sender may send under the shared outbound key (NIST SP 800-38D); `None`: no limit.
    pub packet_limit: Option<u64>,
}

/// Ports of ESP in UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpEncap {
    /// 4500.
    pub local_port: u16,
    /// The customer's, as the NAT shows it.
    pub peer_port: u16,
}

/// What a policy selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    /// Behind the fleet.
    pub local: IpNet,
    /// Behind the customer; of the same family.
    pub remote: IpNet,
    /// 0 for any.
    pub protocol: u8,
    /// Of the fleet's side.
    pub local_ports: PortMask,
    /// Of the customer's side.
    pub remote_ports: PortMask,
}

/// The ports that are equal where the mask has ones, as the kernel selects them; by default all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortMask {
    port: u16,
    mask: u16,
}

impl PortMask {
    /// What of `port` the mask hides does not count.
    pub fn new(port: u16, mask: u16) -> Self {
        Self {
            port: port & mask,
            mask,
        }
    }

    /// This one.
    pub fn one(port: u16) -> Self {
        Self::new(port, u16::MAX)
    }

    /// The lowest of them.
    pub fn port(self) -> u16 {
        self.port
    }

    /// Ones where they are equal.
    pub fn mask(self) -> u16 {
        self.mask
    }
}

/// The whole of what is wanted: tunnels, and children by their inbound SPI.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// By number.
    pub tunnels: BTreeMap<TunnelId, Tunnel>,
    /// By inbound SPI. A child whose tunnel is missing is not installed.
    pub children: BTreeMap<u32, Child>,
}

/// One difference between the wanted set of before and now.
#[derive(Clone, Debug)]
pub enum Change {
    /// New or changed.
    PutTunnel(TunnelId, Tunnel),
    /// Gone, with its children.
    RemoveTunnel(TunnelId),
    /// New or changed.
    PutChild(Child),
    /// The child with this inbound SPI is gone.
    RemoveChild(u32),
}
