//! Where packets were lost: what each host's kernel has dropped, and by its own account why.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Result, bail};

use crate::guest::network::Network;
use crate::guest::traffic::flow::{Echo, Flow, Outcome};

/// Ends a flow of which nothing may have been lost. Of the datagrams the customer's own kernel may have refused as many as
/// the customer has deleted SAs that it was sending on: a stock Linux drops a packet that is between two of its SAs
/// then (XfrmOutStateInvalid), whoever the peer is.
///
/// # Errors
/// Something was lost; the error tells when, and what the hosts' kernels say of it.
pub fn none(network: &Network, echo: Echo, flow: Flow, deleted_by_customer: usize) -> Result<Outcome> {
    let outcome = flow.stop();
    let gaps = outcome.gaps();
    if !gaps.is_empty() || outcome.refused.len() > deleted_by_customer {
        bail!(
            "packets were lost: {}; of {} sent the customer's kernel refused {:?}, and {} reached the origin\n{}",
            gaps.join(", "),
            outcome.sent,
            outcome.refused,
            echo.stop().len(),
            of(network)?
        );
    }
    Ok(outcome)
}

/// The counters of all hosts that are not zero and tell of a loss, a line for each host that has one.
fn of(network: &Network) -> Result<String> {
    let customers = network
        .customers
        .iter()
        .flat_map(|customer| [Some(&customer.namespace), customer.nat.as_ref()]);
    let others = network.edges.iter().chain([&network.net, &network.origin]);
    let mut told = Vec::new();
    for host in customers.flatten().chain(others) {
        let counters = host.run(counters)??;
        if !counters.is_empty() {
            told.push(format!("{}: {counters:?}", host.name()));
        }
    }
    Ok(told.join("\n"))
}

/// `/proc/net` shows the reading thread's namespace (network_namespaces(7)).
fn counters() -> std::io::Result<BTreeMap<String, u64>> {
    let read = |name: &str| fs::read_to_string(format!("/proc/thread-self/net/{name}"));
    let mut counters = xfrm(&read("xfrm_stat")?);
    counters.extend(udp(&read("snmp")?));
    counters.extend(devices(&read("dev")?));
    counters.retain(|_, count| *count != 0);
    Ok(counters)
}

/// `XfrmInNoStates              0`, all of them errors.
fn xfrm(text: &str) -> BTreeMap<String, u64> {
    let lines = text
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace));
    lines
        .filter_map(|(name, count)| Some((name.to_owned(), count.trim().parse().ok()?)))
        .collect()
}

/// A line of names after `Udp:`, then one of numbers.
fn udp(text: &str) -> BTreeMap<String, u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (names, counts) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let pairs = names.split(' ').zip(counts.split(' '));
    let errors = pairs.filter(|(name, _)| name.ends_with("Errors"));
    errors
        .filter_map(|(name, count)| Some((format!("Udp{name}"), count.parse().ok()?)))
        .collect()
}

/// `  up: bytes packets errs drop ...`, received, and eight columns later the same, sent.
fn devices(text: &str) -> BTreeMap<String, u64> {
    let mut dropped = BTreeMap::new();
    for (name, numbers) in text.lines().filter_map(|line| line.split_once(':')) {
        let numbers: Vec<u64> = numbers
            .split_ascii_whitespace()
            .filter_map(|number| number.parse().ok())
            .collect();
        for (direction, at) in [("received", 3), ("sent", 11)] {
            dropped.insert(
                format!("{} dropped of {direction}", name.trim()),
                numbers.get(at).copied().unwrap_or_default(),
            );
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        assert_eq!(
            xfrm("XfrmInNoStates\t3\nXfrmInError             \t0\n")["XfrmInNoStates"],
            3
        );
        let snmp =
            "Udp: InDatagrams NoPorts InErrors RcvbufErrors\nUdp: 10 1 2 4\nUdpLite: InErrors\nUdpLite: 9\n";
        assert_eq!(
            udp(snmp),
            [("UdpInErrors".to_owned(), 2), ("UdpRcvbufErrors".to_owned(), 4)].into()
        );
        let dev = "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop\n\
                   up: 100 2 0 5 0 0 0 0 200 3 0 7 0 0 0 0\n";
        let dropped = devices(dev);
        assert_eq!(
            (dropped["up dropped of received"], dropped["up dropped of sent"]),
            (5, 7)
        );
    }
}
