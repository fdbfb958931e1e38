//! The modular exponential groups of RFC 3526.

use dh_groups::Modp;
use zeroize::Zeroizing;

use super::DhError;
use crate::Secret;

/// A secret exponent.
pub(super) struct PrivateKey {
    group: Modp,
    exponent: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    pub(super) fn generate(group: Modp, fill_random: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut exponent = Zeroizing::new(vec![0; group.exponent_len()]);
        fill_random(&mut exponent);
        Self { group, exponent }
    }

    pub(super) fn public(&self) -> Vec<u8> {
        self.group.public(&self.exponent)
    }

    pub(super) fn agree(&self, peer_public: &[u8]) -> Result<Secret, DhError> {
        let mut shared = self.group.agree(&self.exponent, peer_public).ok_or(DhError)?;
        Ok(Secret::new(std::mem::take(&mut *shared)))
    }
}
