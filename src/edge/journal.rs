//! What the responder says, as log lines and counters: who, what, and which rule.

use std::net::IpAddr;
use std::time::Instant;

use ike::{Dropped, Event, What};
use tracing::{Level, debug, info, warn};

use super::metrics::{Family, Metrics};
use super::throttle::Throttle;

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
        // What only a peer that has proved who it is can cause is written every time: no stranger can flood with it.
        let is_milestone = level == Level::INFO;
        let withheld = if is_milestone {
            Some(0)
        } else {
            self.throttle.admit((kind, event.path.peer.ip()), now)
        };
        let Some(withheld) = withheld else {
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
        | What::RedirectedFrom(_)
        | What::Disowned => Level::INFO,
        What::InitRefused(_)
        | What::IntermediateRefused(_)
        | What::AuthRefused(_)
        | What::Expired
        | What::WithoutPpk
        | What::SilentSinceRestore
        | What::ChildRefused(_)
        | What::RekeyRefused(_)
        | What::NotRedirected(_)
        | What::Dropped(_) => Level::WARN,
        What::CookieAsked | What::PeerMoved { .. } | What::Notified(_) => Level::DEBUG,
    }
}
