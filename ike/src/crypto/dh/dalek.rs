//! Curve25519 (RFC 8031), with x25519-dalek, for key pairs that are made of a seed.

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::DhError;
use crate::Secret;

pub(super) fn generate(fill_random: &mut dyn FnMut(&mut [u8])) -> StaticSecret {
    let mut scalar = Zeroizing::new([0; 32]);
    fill_random(&mut *scalar);
    StaticSecret::from(*scalar)
}

pub(super) fn public(private: &StaticSecret) -> Vec<u8> {
    PublicKey::from(private).as_bytes().to_vec()
}

/// RFC 8031 section 3, and RFC 7748 section 6.1 for the value to refuse: an all-zero secret comes of a peer's value
/// of small order, which would make the secret known to everyone.
pub(super) fn agree(private: &StaticSecret, peer_public: &[u8]) -> Result<Secret, DhError> {
    let peer_public = <[u8; 32]>::try_from(peer_public).map_err(|_| DhError)?;
    let shared = private.diffie_hellman(&PublicKey::from(peer_public));
    if !shared.was_contributory() {
        return Err(DhError);
    }
    Ok(Secret::new(shared.as_bytes().to_vec()))
}
