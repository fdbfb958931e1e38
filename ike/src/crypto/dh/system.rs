//! Key pairs that ring makes, of the system's randomness.

use ring::agreement::{
    Algorithm, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral,
};
use ring::rand::SystemRandom;

use super::{DhError, DhGroup};
use crate::Secret;

/// The octet that tells the form of a point (SEC 1 section 2.3.3), which IKE leaves out (RFC 5903 section 7).
const UNCOMPRESSED: u8 = 4;

pub(super) struct SystemKey(EphemeralPrivateKey);

impl SystemKey {
    /// With its public value.
    pub(super) fn generate(group: DhGroup, random: &SystemRandom) -> Option<(Self, Vec<u8>)> {
        let private = EphemeralPrivateKey::generate(algorithm(group)?, random).ok()?;
        let public = private.compute_public_key().ok()?;
        let value = public.as_ref().strip_prefix(form(private.algorithm()))?;
        Some((Self(private), value.to_vec()))
    }

    /// ring sees to it that the peer's point lies on the curve (RFC 6989 section 2.3), and on Curve25519 that the secret is
    /// not zero (RFC 8031 section 3).
    pub(super) fn agree(self, peer_public: &[u8]) -> Result<Secret, DhError> {
        let point = [form(self.0.algorithm()), peer_public].concat();
        let peer_public = UnparsedPublicKey::new(self.0.algorithm(), point);
        agree_ephemeral(self.0, &peer_public, |shared| Secret::new(shared.to_vec())).map_err(|_| DhError)
    }
}

/// What ring has in front of a public value, and IKE has not.
fn form(algorithm: &Algorithm) -> &'static [u8] {
    match algorithm == &X25519 {
        true => &[],
        false => &[UNCOMPRESSED],
    }
}

fn algorithm(group: DhGroup) -> Option<&'static Algorithm> {
    match group {
        DhGroup::P256 => Some(&ECDH_P256),
        DhGroup::P384 => Some(&ECDH_P384),
        DhGroup::Curve25519 => Some(&X25519),
        DhGroup::Modp2048 | DhGroup::Modp3072 | DhGroup::Modp4096 => None,
    }
}
