//! What is counted: a family of counters for each enum, a counter for each of its values.

use std::fmt;

use super::{Counters, Metrics};

/// A value of the label `kind` in one family.
pub(crate) trait Counted: Copy + fmt::Debug + Send + Sync + 'static {
    /// The family's name, without `_total`.
    const NAME: &'static str;
    /// What the family is about.
    const HELP: &'static str;
    /// Every kind, each at its [`Counted::index`].
    const ALL: &'static [Self];

    fn index(self) -> usize;
    fn label(self) -> &'static str;
    fn counters(metrics: &Metrics) -> &Counters<Self>;
}

macro_rules! counted {
    ($kind:ident in $field:ident, $name:literal, $help:literal: $($variant:ident = $label:literal),+ $(,)?) => {
        #[doc = concat!($help, ".")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum $kind {
            $($variant),+
        }

        impl Counted for $kind {
            const NAME: &'static str = $name;
            const HELP: &'static str = $help;
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn index(self) -> usize {
                self as usize
            }

            fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label),+
                }
            }

            fn counters(metrics: &Metrics) -> &Counters<Self> {
                &metrics.$field
            }
        }
    };
}

counted! {
    Datagrams in datagrams, "anyswan_datagrams",
    "UDP datagrams on the anycast addresses, by what became of them":
    Received = "received",
    Sent = "sent",
    DroppedSendFailed = "dropped_send_failed",
    DroppedFromOurAddress = "dropped_from_our_address",
    DroppedWithoutLease = "dropped_without_lease",
    DroppedDraining = "dropped_draining",
    DroppedNotReady = "dropped_not_ready",
    DroppedTooLong = "dropped_too_long",
    DroppedBusy = "dropped_busy",
}

counted! {
    Forwarded in forwarded, "anyswan_forwarded",
    "IKE messages and notices passed between edges, by what became of them":
    Sent = "sent",
    Received = "received",
    DroppedUnknownEdge = "dropped_unknown_edge",
    DroppedSendFailed = "dropped_send_failed",
    DroppedTooLong = "dropped_too_long",
    DroppedNotAuthentic = "dropped_not_authentic",
    DroppedWithoutLease = "dropped_without_lease",
    DroppedNotOurs = "dropped_not_ours",
    DroppedBusy = "dropped_busy",
}

counted! {
    Commits in commits, "anyswan_commits",
    "Commits for the distributor, by outcome":
    Done = "done",
    Refused = "refused",
    Retried = "retried",
    RateLimited = "rate_limited",
    Invalid = "invalid",
}

counted! {
    Sessions in sessions, "anyswan_sessions",
    "Sessions with the distributor":
    Begun = "begun",
    Ended = "ended",
}

counted! {
    KernelObjects in kernel_objects, "anyswan_kernel_objects",
    "Interfaces, routes, SAs and policies that a reconciliation changed":
    Added = "added",
    Updated = "updated",
    Removed = "removed",
}

counted! {
    Notices in notices, "anyswan_notices",
    "SAs that the kernel reported as used, near their limit or moved, by who was told":
    Delivered = "delivered",
    Forwarded = "forwarded",
    DroppedUnknownSa = "dropped_unknown_sa",
    DroppedBusy = "dropped_busy",
}

counted! {
    IkeEvents in ike_events, "anyswan_ike_events",
    "What happened in IKE, by kind":
    DroppedMalformed = "dropped_malformed",
    DroppedNotIke = "dropped_not_ike",
    DroppedUnknownSpi = "dropped_unknown_spi",
    DroppedUnexpected = "dropped_unexpected",
    DroppedOutsideWindow = "dropped_outside_window",
    DroppedNotAuthentic = "dropped_not_authentic",
    DroppedFragmentsTooLong = "dropped_fragments_too_long",
    DroppedTooLong = "dropped_too_long",
    DroppedTooManyHalfOpen = "dropped_too_many_half_open",
    DroppedTooManyFromSource = "dropped_too_many_from_source",
    DroppedTooManyErrors = "dropped_too_many_errors",
    DroppedTooManyChanges = "dropped_too_many_changes",
    CookieAsked = "cookie_asked",
    InitRefused = "init_refused",
    IntermediateRefused = "intermediate_refused",
    AuthRefused = "auth_refused",
    Expired = "expired",
    Established = "established",
    WithoutPpk = "without_ppk",
    ChildrenDeleted = "children_deleted",
    Ended = "ended",
    Restored = "restored",
    SilentSinceRestore = "silent_since_restore",
    PeerMoved = "peer_moved",
    Notified = "notified",
    ChildAdded = "child_added",
    ChildRefused = "child_refused",
    IkeRekeyed = "ike_rekeyed",
    RekeyRefused = "rekey_refused",
    Redirected = "redirected",
    NotRedirected = "not_redirected",
    RedirectedFrom = "redirected_from",
    Disowned = "disowned",
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The counter of a kind is found by its index, and its label by its place.
    fn check<K: Counted + PartialEq>() {
        for (index, kind) in K::ALL.iter().enumerate() {
            assert_eq!(kind.index(), index, "{kind:?}");
        }
        let labels: BTreeSet<_> = K::ALL.iter().map(|kind| kind.label()).collect();
        assert_eq!(labels.len(), K::ALL.len());
    }

    #[test]
    fn each_kind_has_a_counter_and_a_label_of_its_own() {
        check::<Datagrams>();
        check::<Forwarded>();
        check::<Commits>();
        check::<Sessions>();
        check::<KernelObjects>();
        check::<Notices>();
        check::<IkeEvents>();
    }
}
