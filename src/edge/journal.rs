//! What the responder says, as log lines and counters: who, what, and which rule.

use std::net::IpAddr;
use std::time::Instant;

use distributor::Throttle;
use ike::{Dropped, Event, What};
use tracing::{Level, debug, info, warn};

use super::metrics::{Family, Metrics};

/// Writes a line a minute for each kind and peer; counts all.
pub(crate) struct Journal {
    metrics: Metrics,
    throttle: Throttle<(&'static str, IpAddr)>,
}

impl Journal {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            throttle: Throttle::new(Instant::now()),
        }
    }

    pub(crate) fn note(&mut self, event: &Event, now: Instant) {
        let kind = kind(&event.what);
        self.metrics.count(Family::Ike, kind);
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

    /// `Some` when the line may be written, as [`Throttle::admit`] says. What only a peer that has proved who it is can cause,
    /// which is all of [`Level::INFO`], is written every time: no stranger can flood with it.
    fn admit(&mut self, level: Level, key: (&'static str, IpAddr), now: Instant) -> Option<u64> {
        match level {
            Level::INFO => Some(0),
            _ => self.throttle.admit(key, now),
        }
    }
}

/// For the counter and the throttle.
fn kind(what: &What) -> &'static str {
    match what {
        What::Dropped(dropped) => match dropped {
            Dropped::Malformed(_) => "dropped_malformed",
            Dropped::NotIke => "dropped_not_ike",
            Dropped::UnknownSpi => "dropped_unknown_spi",
            Dropped::Unexpected => "dropped_unexpected",
            Dropped::OutsideWindow { .. } => "dropped_outside_window",
            Dropped::NotAuthentic => "dropped_not_authentic",
            Dropped::FragmentsTooLong => "dropped_fragments_too_long",
            Dropped::TooLong => "dropped_too_long",
            Dropped::TooManyHalfOpen => "dropped_too_many_half_open",
            Dropped::TooManyFromSource => "dropped_too_many_from_source",
            Dropped::TooManyErrors => "dropped_too_many_errors",
            Dropped::TooManyChanges => "dropped_too_many_changes",
        },
        What::CookieAsked => "cookie_asked",
        What::InitRefused(_) => "init_refused",
        What::IntermediateRefused(_) => "intermediate_refused",
        What::AuthRefused(_) => "auth_refused",
        What::Expired => "expired",
        What::Established { .. } => "established",
        What::WithoutPpk => "without_ppk",
        What::ChildrenDeleted(_) => "children_deleted",
        What::Ended(_) => "ended",
        What::Restored => "restored",
        What::SilentSinceRestore => "silent_since_restore",
        What::PeerMoved { .. } => "peer_moved",
        What::Notified(_) => "notified",
        What::ChildAdded { .. } => "child_added",
        What::ChildRefused(_) => "child_refused",
        What::IkeRekeyed { .. } => "ike_rekeyed",
        What::RekeyRefused(_) => "rekey_refused",
        What::Redirected(_) => "redirected",
        What::NotRedirected(_) => "not_redirected",
        What::RedirectedFrom(_) => "redirected_from",
        What::Disowned => "disowned",
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
        | What::NotRedirected(_)
        | What::Disowned
        | What::Dropped(_) => Level::WARN,
        What::CookieAsked | What::PeerMoved { .. } | What::Notified(_) => Level::DEBUG,
    }
}

#[cfg(test)]
mod tests {
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
}
