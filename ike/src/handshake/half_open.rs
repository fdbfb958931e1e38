//! IKE SAs that are not established yet: bounded in number and in time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ike_types::Source;
use ring::digest;

use crate::handshake::ike_auth::Accepted;
use crate::handshake::ike_sa_init::Initiated;
use crate::message::window::Answered;
use crate::{CommitId, Dropped, IkeSpis, Limits, Path};

/// Stands for an IKE_SA_INIT request. The whole message counts, since two peers behind one NAT may choose the same
/// SPI (RFC 7296 section 2.1), and where it came from, since NAT detection makes the answer depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RequestKey {
    path: Path,
    sha256: [u8; 32],
}

impl RequestKey {
    pub(crate) fn new(path: Path, request: &[u8]) -> Self {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest::digest(&digest::SHA256, request).as_ref());
        Self { path, sha256 }
    }
}

/// One of them.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    pub(crate) spis: IkeSpis,
    /// Of the IKE_SA_INIT request.
    pub(crate) path: Path,
    /// Dropped then, whatever its stage.
    pub(crate) ends: Instant,
    pub(crate) request: RequestKey,
    /// What the peer has proved by a cookie.
    pub(crate) proven: Option<Source>,
    pub(crate) stage: Stage,
}

/// How far it has come.
#[derive(Debug)]
pub(crate) enum Stage {
    /// IKE_SA_INIT is answered.
    Initiated(Box<Initiated>),
    /// The peer is authenticated; the reply waits for the fleet.
    Committing(Committing),
    /// IKE_AUTH failed; retransmissions get the same error.
    Refused(Answered),
}

/// An IKE SA that will be established when the fleet is ready.
#[derive(Debug)]
pub(crate) struct Committing {
    pub(crate) commit: CommitId,
    pub(crate) accepted: Box<Accepted>,
}

/// All of them, by responder SPI and by the request that began them.
pub(crate) struct HalfOpens {
    by_spi: HashMap<u64, HalfOpen>,
    by_request: HashMap<RequestKey, u64>,
    counts: Arc<Counts>,
}

/// How many there are at all responders of the edge.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    all: AtomicUsize,
    /// How many of them each source has begun with a cookie. Those without one do not count: anybody could fill a
    /// customer's share with them.
    proven: Mutex<HashMap<Source, usize>>,
}

impl Counts {
    fn all(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    fn proven_from(&self, source: Source) -> usize {
        self.proven().get(&source).copied().unwrap_or_default()
    }

    fn add(&self, proven: Option<Source>) {
        self.all.fetch_add(1, Ordering::Relaxed);
        if let Some(source) = proven {
            *self.proven().entry(source).or_default() += 1;
        }
    }

    fn remove(&self, proven: Option<Source>) {
        self.all.fetch_sub(1, Ordering::Relaxed);
        if let Some(source) = proven
            && let Entry::Occupied(mut count) = self.proven().entry(source)
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    fn proven(&self) -> MutexGuard<'_, HashMap<Source, usize>> {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there may be one more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Welcome,
    /// If a cookie comes with it.
    Unproven,
    Full(Dropped),
}

impl HalfOpens {
    /// None, to be counted in `counts`.
    pub(crate) fn new(counts: Arc<Counts>) -> Self {
        Self {
            by_spi: HashMap::new(),
            by_request: HashMap::new(),
            counts,
        }
    }

    /// At this responder.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_spi.len()
    }

    /// On one more from a `proven` source, or from one that is not. The policy and its reasons stand in
    /// docs/decisions/0008.
    pub(crate) fn verdict(&self, proven: Option<Source>, limits: &Limits) -> Verdict {
        let total = self.counts.all();
        match proven {
            _ if total < limits.cookie_threshold.min(limits.half_open_max) => Verdict::Welcome,
            None => Verdict::Unproven,
            Some(_) if total >= limits.half_open_max => Verdict::Full(Dropped::TooManyHalfOpen),
            Some(source) if self.counts.proven_from(source) >= limits.half_open_per_source => {
                Verdict::Full(Dropped::TooManyFromSource)
            }
            Some(_) => Verdict::Welcome,
        }
    }

    pub(crate) fn insert(&mut self, half_open: HalfOpen) {
        self.counts.add(half_open.proven);
        self.by_request
            .insert(half_open.request, half_open.spis.responder);
        self.by_spi.insert(half_open.spis.responder, half_open);
    }

    pub(crate) fn get(&self, spi: u64) -> Option<&HalfOpen> {
        self.by_spi.get(&spi)
    }

    pub(crate) fn set_stage(&mut self, spi: u64, stage: Stage) {
        if let Some(half_open) = self.by_spi.get_mut(&spi) {
            half_open.stage = stage;
        }
    }

    /// The one that awaits IKE_AUTH.
    pub(crate) fn initiated(&mut self, spi: u64) -> Option<&mut Initiated> {
        match &mut self.by_spi.get_mut(&spi)?.stage {
            Stage::Initiated(initiated) => Some(initiated),
            Stage::Committing(_) | Stage::Refused(_) => None,
        }
    }

    /// The one whose reply waits for the fleet.
    pub(crate) fn committing(&mut self, spi: u64) -> Option<&mut Committing> {
        match &mut self.by_spi.get_mut(&spi)?.stage {
            Stage::Committing(committing) => Some(committing),
            Stage::Initiated(_) | Stage::Refused(_) => None,
        }
    }

    /// The one that this very request began.
    pub(crate) fn begun_by(&self, request: &RequestKey) -> Option<&HalfOpen> {
        self.by_spi.get(self.by_request.get(request)?)
    }

    pub(crate) fn remove(&mut self, spi: u64) -> Option<HalfOpen> {
        let half_open = self.by_spi.remove(&spi)?;
        self.by_request.remove(&half_open.request);
        self.counts.remove(half_open.proven);
        Some(half_open)
    }
}

/// Another lease's responder takes this one's place, and begins with none.
impl Drop for HalfOpens {
    #[expect(
        clippy::disallowed_methods,
        clippy::iter_over_hash_type,
        reason = "counts do not depend on the order"
    )]
    fn drop(&mut self) {
        for half_open in self.by_spi.values() {
            self.counts.remove(half_open.proven);
        }
    }
}
