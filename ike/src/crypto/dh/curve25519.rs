//! Curve25519 (RFC 8031), with aws-lc.

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use zeroize::Zeroizing;

use super::DhError;
use crate::Secret;

/// Octets of a private key, of a public value, and of a secret.
const LEN: usize = 32;

/// Every draw is a private key: the bits that must not be set are cleared (RFC 7748 section 5).
pub(super) fn generate(fill_random: &mut dyn FnMut(&mut [u8])) -> PrivateKey {
    let mut scalar = Zeroizing::new([0; LEN]);
    fill_random(&mut *scalar);
    PrivateKey::from_private_key(&X25519, &*scalar).expect("it has the length of one")
}

pub(super) fn public(private: &PrivateKey) -> Vec<u8> {
    let public = private.compute_public_key();
    public.expect("aws-lc has it already").as_ref().to_vec()
}

/// aws-lc refuses a secret of zeros (RFC 8031 section 3, RFC 7748 section 6.1), which comes of a peer's value of small order and
/// would be known to everyone. It would also read other encodings, which IKE has not: these have other lengths.
pub(super) fn agree_on(private: &PrivateKey, peer_public: &[u8]) -> Result<Secret, DhError> {
    if peer_public.len() != LEN {
        return Err(DhError);
    }
    let peer_public = UnparsedPublicKey::new(&X25519, peer_public);
    agree(private, peer_public, DhError, |shared| {
        Ok(Secret::new(shared.to_vec()))
    })
}
