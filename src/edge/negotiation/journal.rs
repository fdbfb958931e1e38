//! What the responder says, as log lines and counters: who, what, and which rule.

use std::net::IpAddr;
use std::time::Instant;

use distributor_client::RateLimit;
use ike::{Dropped, Event, IkeSpis, What};
use tracing::{Level, debug, info, warn};

use super::commit::Refused;
use crate::metrics::{IkeEvents, Metrics};

/// Writes a line a minute for each kind and peer, or tunnel; counts all.
pub(crate) struct Journal {
    metrics: Metrics,
    throttle: RateLimit<(IkeEvents, IpAddr)>,
    refusals: RateLimit<(&'static str, String)>,
}

impl Journal {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            throttle: RateLimit::of_log_lines(),
            refusals: RateLimit::of_log_lines(),
        }
    }

    pub(crate) fn note(&mut self, event: &Event, now: Instant) {
        let kind = kind(&event.what);
        self.metrics.count(kind);
        let level = level(&event.what);
        let Some(withheld) = self.admit(level, (kind, event.path.peer.ip()), now) else {
            return;
        };
        let ike_sa = event
            .ike
            .map(|spis| format!("{:016x}", spis.responder))
            .unwrap_or_default();
        let tunnel = event.tunnel.as_deref().unwrap_or_default();
        macro_rules! line {
            ($log:ident) => {
                $log!(peer = %event.path.peer, local = %event.path.local, tunnel, ike_sa, withheld, "{}", event.what)
            };
        }
        match level {
            Level::INFO => line!(info),
            Level::WARN => line!(warn),
            _ => line!(debug),
        }
    }

    /// What the responder wanted does not become true.
    pub(crate) fn note_refused(&mut self, tunnel: &str, ike: IkeSpis, refused: &Refused, now: Instant) {
        let Some(withheld) = self.refusals.admit((refused.kind, tunnel.to_owned()), now) else {
            return;
        };
        let ike_sa = format!("{:016x}", ike.responder);
        warn!(
            tunnel,
            ike_sa,
            reason = refused.reason,
            withheld,
            "the fleet refuses a commit"
        );
    }

    /// `Some` when the line may be written, as [`RateLimit::admit`] says. What only a peer that has proved who it is can cause,
    /// which is all of [`Level::INFO`], is written every time: no stranger can flood with it.
    fn admit(&mut self, level: Level, key: (IkeEvents, IpAddr), now: Instant) -> Option<u64> {
        match level {
            Level::INFO => Some(0),
            _ => self.throttle.admit(key, now),
        }
    }
}

/// For the counter and the throttle.
fn kind(what: &What) -> IkeEvents {
    match what {
        What::Dropped(dropped) => match dropped {
            Dropped::Malformed(_) => IkeEvents::DroppedMalformed,
            Dropped::NotIke => IkeEvents::DroppedNotIke,
            Dropped::UnknownSpi => IkeEvents::DroppedUnknownSpi,
            Dropped::Unexpected => IkeEvents::DroppedUnexpected,
            Dropped::OutsideWindow { .. } => IkeEvents::DroppedOutsideWindow,
            Dropped::NotAuthentic => IkeEvents::DroppedNotAuthentic,
            Dropped::FragmentsTooLong => IkeEvents::DroppedFragmentsTooLong,
            Dropped::TooLong => IkeEvents::DroppedTooLong,
            Dropped::TooManyHalfOpen => IkeEvents::DroppedTooManyHalfOpen,
            Dropped::TooManyFromSource => IkeEvents::DroppedTooManyFromSource,
            Dropped::TooManyErrors => IkeEvents::DroppedTooManyErrors,
            Dropped::TooManyChanges => IkeEvents::DroppedTooManyChanges,
        },
        What::CookieAsked => IkeEvents::CookieAsked,
        What::InitRefused(_) => IkeEvents::InitRefused,
        What::IntermediateRefused(_) => IkeEvents::IntermediateRefused,
        What::AuthRefused(_) => IkeEvents::AuthRefused,
        What::Expired => IkeEvents::Expired,
        What::Established { .. } => IkeEvents::Established,
        What::WithoutPpk => IkeEvents::WithoutPpk,
        What::ChildrenDeleted(_) => IkeEvents::ChildrenDeleted,
        What::Ended(_) => IkeEvents::Ended,
        What::Restored => IkeEvents::Restored,
        What::SilentSinceRestore => IkeEvents::SilentSinceRestore,
        What::PeerMoved { .. } => IkeEvents::PeerMoved,
        What::Notified(_) => IkeEvents::Notified,
        What::ChildAdded { .. } => IkeEvents::ChildAdded,
        What::ChildRefused(_) => IkeEvents::ChildRefused,
        What::IkeRekeyed { .. } => IkeEvents::IkeRekeyed,
        What::RekeyRefused(_) | What::RekeyUnusable(_) => IkeEvents::RekeyRefused,
        What::Redirected(_) => IkeEvents::Redirected,
        What::NotRedirected(_) => IkeEvents::NotRedirected,
        What::RedirectedFrom(_) => IkeEvents::RedirectedFrom,
        What::Disowned => IkeEvents::Disowned,
    }
}

fn level(what: &What) -> Level {
    match what {
        What::Established { .. }
        | What::ChildAdded { .. }
        | What::ChildrenDeleted(_)
        | What::IkeRekeyed { .. }
        | What::Ended(_)
        | What::Restored
        | What::Redirected(_)
        | What::RedirectedFrom(_) => Level::INFO,
        What::InitRefused(_)
        | What::IntermediateRefused(_)
        | What::AuthRefused(_)
        | What::Expired
        | What::WithoutPpk
        | What::SilentSinceRestore
        | What::ChildRefused(_)
        | What::RekeyRefused(_)
        | What::RekeyUnusable(_)
        | What::NotRedirected(_)
        | What::Disowned
        | What::Dropped(_) => Level::WARN,
        What::CookieAsked | What::PeerMoved { .. } | What::Notified(_) => Level::DEBUG,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Seek;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    /// Whoever sends a protected message with an SPI that nobody has is answered so (RFC 6290), hundreds of times a second.
    #[test]
    fn a_stranger_that_makes_up_ike_sas_does_not_flood_the_log() {
        let mut journal = Journal::new(Metrics::default());
        let peer = IpAddr::from([192, 0, 2, 1]);
        let now = Instant::now();
        let what = What::Disowned;
        let mut lines = || journal.admit(level(&what), (kind(&what), peer), now);
        assert_eq!((lines(), lines()), (Some(0), None));
    }

    /// A customer's router that asks again and again for what the fleet does not take.
    #[test]
    fn refused_commits_are_a_line_a_minute_for_each_reason_and_tunnel() {
        let now = Instant::now();
        let refused = |kind| Refused {
            kind,
            reason: "there is no tunnel acme".to_owned(),
        };
        let spis = IkeSpis {
            initiator: 1,
            responder: 0xab,
        };
        let log = logged(|| {
            let mut journal = Journal::new(Metrics::default());
            let mut note =
                |tunnel, kind, after| journal.note_refused(tunnel, spis, &refused(kind), now + after);
            for _ in 0..10 {
                note("acme", "missing", Duration::ZERO);
            }
            note("acme", "taken", Duration::ZERO);
            note("beta", "missing", Duration::ZERO);
            note("acme", "missing", Duration::from_secs(60));
        });
        let lines: Vec<_> = log.lines().collect();
        assert_eq!(lines.len(), 4, "{log}");
        for part in [
            "WARN",
            "refuses a commit",
            "\"acme\"",
            "00000000000000ab",
            "no tunnel acme",
            "withheld=9",
        ] {
            assert!(lines[3].contains(part), "{part} in {log}");
        }
    }

    /// What is written to the log meanwhile.
    fn logged(what: impl FnOnce()) -> String {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(Arc::clone(&file))
            .finish();
        tracing::subscriber::with_default(subscriber, what);
        (&*file).rewind().unwrap();
        std::io::read_to_string(&*file).unwrap()
    }
}
