//! How SAs are shown.

use std::time::{SystemTime, UNIX_EPOCH};

use views::{ChildSaView, IkeSaView};

use super::super::failure::Failure;
use super::super::output;

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
    output::table(&LIST, sas.iter().flat_map(rows))
}

fn rows(sa: &IkeSaView) -> Vec<Vec<String>> {
    let ike = [&sa.tunnel, &sa.spi, &sa.owner, &sa.peer, &sa.remote_id].map(String::clone);
    let mut children: Vec<_> = sa.children.iter().map(cells).collect();
    if children.is_empty() {
        children.push(["-"; 4].map(str::to_owned));
    }
    children
        .iter()
        .map(|child| [ike.as_slice(), child].concat())
        .collect()
}

fn cells(child: &ChildSaView) -> [String; 4] {
    let installed = child.edges.iter().filter(|edge| edge.installed).count();
    [
        child.spi.clone(),
        child.suite.clone(),
        format!("{installed} of {}", child.edges.len()),
        expires_in(child.expires_unix_ms),
    ]
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
    sa.children.iter().try_for_each(print_child)
}

fn print_child(child: &ChildSaView) -> Result<(), Failure> {
    let encap = if child.udp_encap { ", in UDP" } else { "" };
    output::text(format_args!(
        "\nchild SA  {} (outbound {})",
        child.spi, child.outbound_spi
    ))?;
    output::text(format_args!("suite     {}{encap}", child.suite))?;
    output::text(format_args!("path      {} - {}", child.local, child.peer))?;
    output::text(format_args!(
        "carries   {} - {}",
        child.local_ts.join(" "),
        child.remote_ts.join(" ")
    ))?;
    output::text(format_args!("expires   in {}", expires_in(child.expires_unix_ms)))?;
    output::table(
        &["EDGE", "INSTALLED", "REFUSED"],
        child.edges.iter().map(|edge| {
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

fn expires_in(unix_ms: u64) -> String {
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let seconds = u128::from(unix_ms).saturating_sub(now_ms) / 1000;
    format!("{}h {:02}min", seconds / 3600, seconds / 60 % 60)
}
