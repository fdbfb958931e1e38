//! Pings by ping(8), which says itself how many were answered.

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::guest::host::namespace::Namespace;
use crate::guest::host::process;
use crate::report::Count;

/// How long an answer may take, in seconds, and a run beyond its last request.
const ANSWER: u16 = 2;
const SPARE: Duration = Duration::from_secs(15);

/// Pings `destination` from the address `source` of `namespace`, `count` times, one each `interval`, and counts the answers,
/// be it none.
///
/// # Errors
/// ping(8) cannot ping at all, for instance because there is no such address.
pub fn ping(
    namespace: &Namespace,
    source: IpAddr,
    destination: IpAddr,
    count: u32,
    interval: Duration,
) -> Result<Count> {
    let mut command = Command::new("ping");
    command.args(["-n", "-q", "-I", &source.to_string()]);
    command.args([
        "-c",
        &count.to_string(),
        "-i",
        &interval.as_secs_f64().to_string(),
    ]);
    command.args(["-W", &ANSWER.to_string(), &destination.to_string()]);
    let output = process::run(namespace, interval * count + SPARE, &command)?;
    let wrote = String::from_utf8_lossy(&output.stdout);
    // Its exit code tells a lost answer from none at all, and neither is a failure here.
    summary(&wrote).with_context(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!(
            "{}: {command:?}: {}\n{wrote}{said}",
            namespace.name(),
            output.status
        )
    })
}

/// `5 packets transmitted, 4 received, +1 errors, 20% packet loss, time 4005ms`
fn summary(text: &str) -> Option<Count> {
    let line = text
        .lines()
        .find(|line| line.contains(" packets transmitted, "))?;
    let mut parts = line.split(", ");
    let mut number = |what| parts.next()?.strip_suffix(what)?.parse().ok();
    Some(Count {
        sent: number(" packets transmitted")?,
        received: number(" received")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts() {
        let text = "PING 10.2.0.1 (10.2.0.1) 56(84) bytes of data.\n\n--- 10.2.0.1 ping statistics ---\n\
                    5 packets transmitted, 4 received, +1 errors, 20% packet loss, time 4005ms\n\
                    rtt min/avg/max/mdev = 0.041/0.050/0.060/0.007 ms\n";
        assert_eq!(summary(text), Some(Count { sent: 5, received: 4 }));
        let text = "3 packets transmitted, 0 received, 100% packet loss, time 2002ms\n";
        assert_eq!(summary(text), Some(Count { sent: 3, received: 0 }));
        assert_eq!(summary("ping: connect: Network is unreachable\n"), None);
    }
}
