//! How many handshakes each source may be in.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ike_types::Source;

/// How many handshakes each source is in.
#[derive(Clone, Default)]
pub(super) struct Sources(Arc<Mutex<BTreeMap<Source, usize>>>);

/// A handshake that counts until this is dropped.
pub(super) struct Entered {
    sources: Sources,
    source: Source,
}

impl Sources {
    /// `None` when the source of `peer` is in `most` of them, so that it alone cannot keep the others out.
    pub(super) fn enter(&self, peer: IpAddr, most: usize) -> Option<Entered> {
        let source = Source::of(peer);
        let mut counts = self.lock();
        let count = counts.entry(source).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Entered {
            sources: self.clone(),
            source,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Source, usize>> {
        // Nothing under the lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut counts = self.sources.lock();
        if let Entry::Occupied(mut count) = counts.entry(self.source) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}
