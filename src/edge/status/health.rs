//! Whether the network should deliver here.

use std::fmt;
use std::time::{Duration, Instant};

use distributor_client::state::{AppliedReport, SessionState};
use proto::Failure;
use rustix::io::Errno;

/// How long the kernel may take for what has arrived. The fleet waits as long before it calls an edge lagging.
const LAG: Duration = Duration::from_secs(1);

/// Why the network should not deliver here. As text: the whole answer to `GET /health`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unhealthy {
    Draining,
    NoLease,
    NotSynced,
    NotInstalled,
    Unable,
    Lagging(Duration),
}

impl fmt::Display for Unhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draining => f.write_str("this edge is about to stop"),
            Self::NoLease => f.write_str("no lease: the distributor does not answer"),
            Self::NotSynced => f.write_str("not synced: the distributor's first snapshot is not complete"),
            Self::NotInstalled => f.write_str("not installed: the kernel has not got the first snapshot"),
            Self::Unable => f.write_str(
                "unable: the kernel lacks a module for IPsec; `anyswan fleet status` and the log name it",
            ),
            Self::Lagging(since) => {
                write!(
                    f,
                    "lagging: the kernel has been behind for {:.1} s",
                    since.as_secs_f64()
                )
            }
        }
    }
}

/// An edge is healthy when it knows what the fleet knows, has it in its kernel, and would hear of a change.
pub(super) fn check(
    session: &SessionState,
    installed: Option<&AppliedReport>,
    is_draining: bool,
    now: Instant,
) -> Result<(), Unhealthy> {
    if is_draining {
        return Err(Unhealthy::Draining);
    }
    if session.lease(now).is_none() {
        return Err(Unhealthy::NoLease);
    }
    if session.received.is_none() {
        return Err(Unhealthy::NotSynced);
    }
    let installed = installed.ok_or(Unhealthy::NotInstalled)?;
    if installed.failures.iter().any(is_for_lack_of_a_module) {
        return Err(Unhealthy::Unable);
    }
    let behind = session
        .behind_since
        .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
    if behind > LAG {
        return Err(Unhealthy::Lagging(behind));
    }
    Ok(())
}

/// Of xfrm interfaces or of ESP, which all tunnels need; ciphers and what an operator gets wrong concern some.
fn is_for_lack_of_a_module(failure: &Failure) -> bool {
    [Errno::OPNOTSUPP, Errno::PROTONOSUPPORT]
        .map(Errno::raw_os_error)
        .contains(&failure.errno)
}

#[cfg(test)]
mod tests {
    use proto::{Key, Resume, Slot};

    use super::*;
    use distributor_client::lease::LeaseGrant;

    #[test]
    fn each_thing_that_is_missing_is_named() {
        let start = Instant::now();
        let position = Resume {
            store: 1,
            revision: 1,
        };
        // With something that the kernel refused so.
        let installed = |errno| AppliedReport {
            position,
            began: start,
            failures: vec![Failure {
                key: Key::Edge(Slot::new(1).unwrap()),
                errno,
                reason: String::new(),
            }],
        };
        let at = |ms| start + Duration::from_millis(ms);
        let mut session = SessionState::default();
        assert_eq!(check(&session, None, false, at(0)), Err(Unhealthy::NoLease));

        session.grant = Some(LeaseGrant {
            slot: Slot::new(1).unwrap(),
            incarnation: 1,
            store: 1,
            until: at(15_000),
        });
        assert_eq!(check(&session, None, false, at(0)), Err(Unhealthy::NotSynced));
        session.note_received(position, at(10));
        assert_eq!(check(&session, None, false, at(10)), Err(Unhealthy::NotInstalled));
        assert_eq!(check(&session, Some(&installed(0)), false, at(1010)), Ok(()));
        for (errno, expected) in [
            (Errno::OPNOTSUPP, Err(Unhealthy::Unable)),
            (Errno::PROTONOSUPPORT, Err(Unhealthy::Unable)),
            (Errno::EXIST, Ok(())),
        ] {
            let installed = installed(errno.raw_os_error());
            assert_eq!(check(&session, Some(&installed), false, at(1010)), expected);
        }
        let behind = Duration::from_millis(1500);
        assert_eq!(
            check(&session, Some(&installed(0)), false, at(1510)),
            Err(Unhealthy::Lagging(behind))
        );
        assert_eq!(
            check(&session, Some(&installed(0)), true, at(10)),
            Err(Unhealthy::Draining)
        );
        assert_eq!(
            check(&session, Some(&installed(0)), false, at(15_000)),
            Err(Unhealthy::NoLease)
        );
    }
}
