//! Key pairs that aws-lc makes, of the system's randomness.

use aws_lc_rs::agreement::{Algorithm, ECDH_P256, ECDH_P384, PrivateKey, UnparsedPublicKey, X25519, agree};

use super::{DhError, DhGroup};
use crate::Secret;

/// The octet that tells the form of a point (SEC 1 section 2.3.3), which IKE leaves out (RFC 5903 section 7).
const UNCOMPRESSED: u8 = 4;

pub(super) struct SystemKey {
    private: PrivateKey,
    /// Octets of a public value of the group.
    public_len: usize,
}

impl SystemKey {
    /// With its public value.
    pub(super) fn generate(group: DhGroup) -> Option<(Self, Vec<u8>)> {
        let private = PrivateKey::generate(algorithm(group)?).ok()?;
        let public = private.compute_public_key().ok()?;
        let value = public.as_ref().strip_prefix(form(private.algorithm()))?.to_vec();
        let public_len = value.len();
        Some((Self { private, public_len }, value))
    }

    /// aws-lc sees to it that the peer's point lies on the curve (RFC 6989 section 2.3), and on Curve25519 that the secret is
    /// not zero (RFC 8031 section 3). It would also read other encodings, which IKE has not: these have other lengths.
    pub(super) fn agree(self, peer_public: &[u8]) -> Result<Secret, DhError> {
        if peer_public.len() != self.public_len {
            return Err(DhError);
        }
        let point = [form(self.private.algorithm()), peer_public].concat();
        let peer_public = UnparsedPublicKey::new(self.private.algorithm(), point);
        agree(&self.private, peer_public, DhError, |shared| {
            Ok(Secret::new(shared.to_vec()))
        })
    }
}

/// What aws-lc has in front of a public value, and IKE has not.
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
