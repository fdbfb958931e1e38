//! How SAs are shown.

use std::time::{SystemTime, UNIX_EPOCH};

use proto::{ChildSa, IkeSa, Invalid, TrafficSelector, v1};
use serde::Serialize;

use super::super::failure::Failure;
use super::super::output;
use super::super::progress::Refusal;
use super::Spi;

/// An IKE SA and its children, as `--json` shows them. SPIs are hexadecimal, as `ip xfrm` and captures show them.
#[derive(Debug, Serialize)]
pub(super) struct IkeSaView {
    tunnel: String,
    /// The responder's; its name in commands.
    spi: String,
    initiator_spi: String,
    /// Name of the edge that runs it.
    owner: String,
    epoch: u64,
    remote_id: String,
    local: String,
    peer: String,
    created_unix_ms: u64,
    children: Vec<ChildSaView>,
}

/// A child SA.
#[derive(Debug, Serialize)]
struct ChildSaView {
    /// The inbound one; its name in commands.
    spi: String,
    outbound_spi: String,
    suite: String,
    udp_encap: bool,
    local: String,
    peer: String,
    local_ts: Vec<String>,
    remote_ts: Vec<String>,
    created_unix_ms: u64,
    expires_unix_ms: u64,
    revision: u64,
    edges: Vec<EdgeView>,
}

/// One edge's part in a child SA.
#[derive(Debug, Serialize)]
struct EdgeView {
    name: String,
    installed: bool,
    failure: Option<Refusal>,
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
        let edges = status.edges.into_iter().map(|edge| EdgeView {
            name: edge.name,
            installed: edge.installed,
            failure: edge.failure.map(Refusal::from),
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
    /// True when `spi` names it or one of its children.
    pub(super) fn is_or_has(&self, spi: Spi) -> bool {
        match spi {
            Spi::Ike(spi) => self.spi == format!("{spi:016x}"),
            Spi::Child(spi) => self
                .children
                .iter()
                .any(|child| child.spi == format!("{spi:#010x}")),
        }
    }
}

const LIST: [&str; 9] = [
    "TUNNEL",
    "IKE SA",
    "OWNER",
    "PEER",
    "REMOTE ID",
    "CHILD SA",
    "SUITE",
    "INSTALLED",
    "EXPIRES IN",
];

/// One line for each child SA; an IKE SA without any has one of its own.
pub(super) fn print_list(sas: &[IkeSaView]) -> Result<(), Failure> {
    output::table(&LIST, sas.iter().flat_map(IkeSaView::rows))
}

impl IkeSaView {
    fn rows(&self) -> Vec<Vec<String>> {
        let ike = [&self.tunnel, &self.spi, &self.owner, &self.peer, &self.remote_id].map(String::clone);
        let mut children: Vec<_> = self.children.iter().map(ChildSaView::cells).collect();
        if children.is_empty() {
            children.push(["-"; 4].map(str::to_owned));
        }
        children
            .iter()
            .map(|child| [ike.as_slice(), child].concat())
            .collect()
    }
}

impl ChildSaView {
    fn cells(&self) -> [String; 4] {
        let installed = self.edges.iter().filter(|edge| edge.installed).count();
        [
            self.spi.clone(),
            self.suite.clone(),
            format!("{installed} of {}", self.edges.len()),
            expires_in(self.expires_unix_ms),
        ]
    }
}

/// Everything, line by line.
pub(super) fn print_one(sa: &IkeSaView) -> Result<(), Failure> {
    output::text(format_args!(
        "IKE SA    {} (initiator's SPI {})",
        sa.spi, sa.initiator_spi
    ))?;
    output::text(format_args!("tunnel    {}", sa.tunnel))?;
    output::text(format_args!("customer  {} at {}", sa.remote_id, sa.peer))?;
    output::text(format_args!(
        "fleet     {}, owner {} (epoch {})",
        sa.local, sa.owner, sa.epoch
    ))?;
    sa.children.iter().try_for_each(ChildSaView::print)
}

impl ChildSaView {
    fn print(&self) -> Result<(), Failure> {
        let encap = if self.udp_encap { ", in UDP" } else { "" };
        output::text(format_args!(
            "\nchild SA  {} (outbound {})",
            self.spi, self.outbound_spi
        ))?;
        output::text(format_args!("suite     {}{encap}", self.suite))?;
        output::text(format_args!("path      {} - {}", self.local, self.peer))?;
        output::text(format_args!(
            "carries   {} - {}",
            self.local_ts.join(" "),
            self.remote_ts.join(" ")
        ))?;
        output::text(format_args!("expires   in {}", expires_in(self.expires_unix_ms)))?;
        output::table(
            &["EDGE", "INSTALLED", "REFUSED"],
            self.edges.iter().map(|edge| {
                let refused = edge.failure.as_ref().map(|failure| failure.reason.clone());
                let installed = if edge.installed { "yes" } else { "no" };
                [
                    edge.name.clone(),
                    installed.to_owned(),
                    refused.unwrap_or_else(|| "-".to_owned()),
                ]
            }),
        )
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

fn expires_in(unix_ms: u64) -> String {
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let seconds = u128::from(unix_ms).saturating_sub(now_ms) / 1000;
    format!("{}h {:02}min", seconds / 3600, seconds / 60 % 60)
}
