//! The random ECP groups P-256 and P-384 (RFC 5903).

use dh_groups::Ecp;
use zeroize::Zeroizing;

use super::DhError;
use crate::Secret;

pub(super) struct PrivateKey {
    group: Ecp,
    scalar: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// With its public value. By rejection: draws until the number lies in [1, n), which nearly every first draw does.
    pub(super) fn generate(group: Ecp, fill_random: &mut dyn FnMut(&mut [u8])) -> (Self, Vec<u8>) {
        let mut scalar = Zeroizing::new(vec![0; group.scalar_len()]);
        loop {
            fill_random(&mut scalar);
            if let Some(public) = group.public(&scalar) {
                return (Self { group, scalar }, public);
            }
        }
    }

    pub(super) fn agree(&self, peer_public: &[u8]) -> Result<Secret, DhError> {
        let mut shared = self.group.agree(&self.scalar, peer_public).ok_or(DhError)?;
        Ok(Secret::new(std::mem::take(&mut *shared)))
    }
}
