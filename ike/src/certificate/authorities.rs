//! The authorities that all tunnels trust, for the certificate request of IKE_SA_INIT (RFC 7296 section 3.7).

use std::collections::BTreeMap;

use ike_types::der::{SEQUENCE, element};
use ring::digest;
use rustls_pki_types::TrustAnchor;

use super::Certificates;

/// Authorities that are named in a request. It goes to peers whom nobody knows yet, so the answer must not outgrow
/// their message; those that find theirs missing have to send their certificate all the same, as most do.
const MAX_NAMED: usize = 8;

/// Each with the number of tunnels that trust it.
#[derive(Clone, Default)]
pub(crate) struct Authorities(BTreeMap<[u8; 20], usize>);

impl Authorities {
    pub(crate) fn add(&mut self, certificates: &Certificates) {
        for authority in &certificates.authorities {
            *self.0.entry(*authority).or_default() += 1;
        }
    }

    pub(crate) fn remove(&mut self, certificates: &Certificates) {
        for authority in &certificates.authorities {
            if let Some(tunnels) = self.0.get_mut(authority) {
                *tunnels -= 1;
                if *tunnels == 0 {
                    self.0.remove(authority);
                }
            }
        }
    }

    /// What follows the encoding in a CERTREQ payload; `None` when no tunnel has certificates.
    pub(crate) fn request(&self) -> Option<Vec<u8>> {
        let named: Vec<u8> = self.0.keys().take(MAX_NAMED).flatten().copied().collect();
        (!named.is_empty()).then_some(named)
    }
}

/// SHA-1 of the SubjectPublicKeyInfo (RFC 7296 section 3.7). It tells authorities apart and proves nothing.
pub(super) fn key_hash(anchor: &TrustAnchor<'_>) -> [u8; 20] {
    let mut hash = [0; 20];
    let spki = element(SEQUENCE, &anchor.subject_public_key_info);
    hash.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &spki).as_ref());
    hash
}
