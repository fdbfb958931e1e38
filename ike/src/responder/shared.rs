//! What the responders of one edge have in common.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use super::error_rate_limit::ErrorRateLimit;
use crate::Tunnel;
use crate::fleet::child_spis::IssuedSpis;
use crate::fleet::tunnels::Tunnels;
use crate::handshake::half_open::Counts;

/// The tunnels, the inbound ESP SPIs that are in use, and what is left of the limits that hold for the edge as a whole:
/// [`crate::Limits::half_open_max`], [`crate::Limits::half_open_per_source`], [`crate::Limits::cookie_threshold`], and errors in a
/// second.
///
/// Its clones are the same. Responders on different threads may each begin an IKE SA at the same moment, so a limit may be
/// exceeded by one less than there are responders.
#[derive(Clone, Default)]
pub struct Shared(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Read at each message and hardly ever written: a reader takes the present ones along, and locks nobody out.
    tunnels: RwLock<Arc<Tunnels>>,
    half_open: Arc<Counts>,
    issued_spis: IssuedSpis,
    errors: Mutex<ErrorRateLimit>,
}

impl Shared {
    /// A tunnel is new or has changed. Each responder has to hear of it, by [`crate::Responder::handle_tunnel_changed`].
    pub fn put_tunnel(&self, tunnel: Tunnel) {
        self.change_tunnels(|tunnels| tunnels.put(tunnel));
    }

    /// A tunnel is gone. Each responder has to hear of it, by [`crate::Responder::handle_tunnel_changed`].
    pub fn remove_tunnel(&self, name: &str) {
        self.change_tunnels(|tunnels| tunnels.remove(name));
    }

    /// In place, unless somebody reads them at this moment: then in a copy.
    fn change_tunnels(&self, change: impl FnOnce(&mut Tunnels)) {
        let mut tunnels = self.0.tunnels.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut tunnels));
    }

    /// Those of now.
    pub(crate) fn tunnels(&self) -> Arc<Tunnels> {
        Arc::clone(&self.0.tunnels.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn half_open(&self) -> Arc<Counts> {
        Arc::clone(&self.0.half_open)
    }

    pub(super) fn issued_spis(&self) -> IssuedSpis {
        self.0.issued_spis.clone()
    }

    /// True when one more unprotected error may be sent.
    pub(super) fn take_error(&self, now: Instant) -> bool {
        self.errors().take(now)
    }

    fn errors(&self) -> MutexGuard<'_, ErrorRateLimit> {
        self.0.errors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
