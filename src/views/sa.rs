//! IKE SAs and their child SAs. SPIs are hexadecimal, as `ip xfrm` and captures show them.

use proto::{ChildSa, IkeSa, Invalid, TrafficSelector, v1};
use serde::{Deserialize, Serialize};

use crate::FailureView;

/// An IKE SA and its children.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IkeSaView {
    /// The tunnel's name.
    pub tunnel: String,
    /// The responder's; its name in commands.
    pub spi: String,
    /// The initiator's.
    pub initiator_spi: String,
    /// Name of the edge that runs it.
    pub owner: String,
    /// Of its ownership.
    pub epoch: u64,
    /// Who the peer has proved to be.
    pub remote_id: String,
    /// Our outer address and port.
    pub local: String,
    /// The peer's outer address and port.
    pub peer: String,
    /// When.
    pub created_unix_ms: u64,
    /// Its child SAs.
    pub children: Vec<ChildSaView>,
}

/// A child SA.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildSaView {
    /// The inbound one; its name in commands.
    pub spi: String,
    /// The peer's.
    pub outbound_spi: String,
    /// Of ESP.
    pub suite: String,
    /// Whether ESP is in UDP.
    pub udp_encap: bool,
    /// Our outer address and port.
    pub local: String,
    /// The peer's outer address and port.
    pub peer: String,
    /// Behind the fleet.
    pub local_ts: Vec<String>,
    /// Behind the customer.
    pub remote_ts: Vec<String>,
    /// When.
    pub created_unix_ms: u64,
    /// When, at the latest.
    pub expires_unix_ms: u64,
    /// Of its last change.
    pub revision: u64,
    /// Which edges have it.
    pub edges: Vec<InstallationView>,
}

/// One edge's part in a child SA.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallationView {
    /// The edge's.
    pub name: String,
    /// Whether the edge's kernel has it.
    pub installed: bool,
    /// What that kernel refuses of it.
    pub failure: Option<FailureView>,
}

impl TryFrom<v1::IkeSaStatus> for IkeSaView {
    type Error = Invalid;

    fn try_from(status: v1::IkeSaStatus) -> Result<Self, Invalid> {
        let sa = IkeSa::try_from(status.ike_sa.ok_or_else(|| Invalid::missing("ike_sa"))?)?;
        Ok(Self {
            tunnel: sa.tunnel.to_string(),
            spi: format!("{:016x}", sa.spis.responder),
            initiator_spi: format!("{:016x}", sa.spis.initiator),
            owner: status.owner,
            epoch: sa.epoch,
            remote_id: sa.remote_id.to_string(),
            local: sa.local.to_string(),
            peer: sa.peer.to_string(),
            created_unix_ms: sa.created.unix_ms(),
            children: status
                .children
                .into_iter()
                .map(ChildSaView::try_from)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<v1::ChildSaStatus> for ChildSaView {
    type Error = Invalid;

    fn try_from(status: v1::ChildSaStatus) -> Result<Self, Invalid> {
        let sa = ChildSa::try_from(status.child_sa.ok_or_else(|| Invalid::missing("child_sa"))?)?;
        let edges = status.edges.into_iter().map(|edge| InstallationView {
            name: edge.name,
            installed: edge.installed,
            failure: edge.failure.map(FailureView::from),
        });
        Ok(Self {
            spi: sa.inbound_spi.to_string(),
            outbound_spi: format!("{:#010x}", sa.outbound_spi),
            suite: sa.suite.to_string(),
            udp_encap: sa.udp_encap,
            local: sa.local.to_string(),
            peer: sa.peer.to_string(),
            local_ts: sa.local_ts.iter().map(selector).collect(),
            remote_ts: sa.remote_ts.iter().map(selector).collect(),
            created_unix_ms: sa.created.unix_ms(),
            expires_unix_ms: sa.expires.unix_ms(),
            revision: status.revision,
            edges: edges.collect(),
        })
    }
}

impl IkeSaView {
    /// True when this is the responder SPI of the IKE SA.
    pub fn is(&self, responder_spi: u64) -> bool {
        self.spi == format!("{responder_spi:016x}")
    }

    /// True when this is the inbound SPI of one of its child SAs.
    pub fn has(&self, inbound_spi: u32) -> bool {
        let spi = format!("{inbound_spi:#010x}");
        self.children.iter().any(|child| child.spi == spi)
    }
}

/// `10.0.0.0-10.0.0.255`, with protocol and ports where they are bound.
fn selector(selector: &TrafficSelector) -> String {
    let mut text = format!("{}-{}", selector.first(), selector.last());
    if selector.protocol() != 0 {
        text.push_str(&format!("[protocol {}]", selector.protocol()));
    }
    if selector.ports() != (0, u16::MAX) {
        text.push_str(&format!("[ports {}-{}]", selector.ports().0, selector.ports().1));
    }
    text
}
