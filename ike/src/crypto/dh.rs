//! Key exchange: Curve25519 (RFC 8031) and the P-256 and P-384 curves (RFC 5903).

use std::fmt;

use p256::NistP256;
use p256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, Sec1Point, ToSec1Point};
use p256::elliptic_curve::{
    AffinePoint, Curve, CurveArithmetic, FieldBytes, FieldBytesSize, PublicKey, SecretKey,
};
use p384::NistP384;
use serde::{Deserialize, Serialize};
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use crate::Secret;

/// A key exchange group (transform type 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DhGroup {
    /// Group 31 (RFC 8031).
    Curve25519,
    /// Group 19, the 256-bit random ECP group (RFC 5903).
    P256,
    /// Group 20, the 384-bit random ECP group (RFC 5903).
    P384,
}

impl DhGroup {
    /// Transform ID of transform type 4.
    pub(crate) fn id(self) -> u16 {
        match self {
            Self::P256 => 19,
            Self::P384 => 20,
            Self::Curve25519 => 31,
        }
    }
}

impl fmt::Display for DhGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Curve25519 => "curve25519",
            Self::P256 => "ecp256",
            Self::P384 => "ecp384",
        })
    }
}

/// A private key that is used once, and its public value.
pub(crate) struct DhKeyPair {
    private: Private,
    public: Vec<u8>,
}

/// The private keys wipe themselves when they are dropped.
enum Private {
    Curve25519(StaticSecret),
    P256(SecretKey<NistP256>),
    P384(SecretKey<NistP384>),
}

impl DhKeyPair {
    /// `fill_random` must fill its argument with unpredictable octets.
    pub(crate) fn generate(group: DhGroup, fill_random: &mut dyn FnMut(&mut [u8])) -> Self {
        match group {
            DhGroup::Curve25519 => {
                let mut scalar = Zeroizing::new([0; 32]);
                fill_random(&mut *scalar);
                Self::from_curve25519(StaticSecret::from(*scalar))
            }
            DhGroup::P256 => Self::from_p256(random_scalar(fill_random)),
            DhGroup::P384 => Self::from_p384(random_scalar(fill_random)),
        }
    }

    fn from_curve25519(private: StaticSecret) -> Self {
        let public = x25519_dalek::PublicKey::from(&private).as_bytes().to_vec();
        Self {
            private: Private::Curve25519(private),
            public,
        }
    }

    fn from_p256(private: SecretKey<NistP256>) -> Self {
        Self {
            public: encode_point(&private.public_key()),
            private: Private::P256(private),
        }
    }

    fn from_p384(private: SecretKey<NistP384>) -> Self {
        Self {
            public: encode_point(&private.public_key()),
            private: Private::P384(private),
        }
    }

    /// As it stands in the KE payload.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The shared secret g^ir with the peer's public value.
    pub(crate) fn agree(self, peer_public: &[u8]) -> Result<Secret, DhError> {
        match self.private {
            Private::Curve25519(private) => agree_curve25519(&private, peer_public),
            Private::P256(private) => agree_on_curve(&private, peer_public),
            Private::P384(private) => agree_on_curve(&private, peer_public),
        }
    }
}

/// The peer's public value is not one of the group: INVALID_SYNTAX, since the group itself was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer's public value is not valid in its group")]
pub(crate) struct DhError;

/// RFC 8031 section 3, and RFC 7748 section 6.1 for the value to refuse: an all-zero secret comes of a peer's value
/// of small order, which would make the secret known to everyone.
fn agree_curve25519(private: &StaticSecret, peer_public: &[u8]) -> Result<Secret, DhError> {
    let peer_public = <[u8; 32]>::try_from(peer_public).map_err(|_| DhError)?;
    let shared = private.diffie_hellman(&x25519_dalek::PublicKey::from(peer_public));
    if !shared.was_contributory() {
        return Err(DhError);
    }
    Ok(Secret::new(shared.as_bytes().to_vec()))
}

/// A private key by rejection: draws until the number lies in [1, n), which nearly every first draw does.
fn random_scalar<C: Curve>(fill_random: &mut dyn FnMut(&mut [u8])) -> SecretKey<C> {
    let mut candidate = Zeroizing::new(FieldBytes::<C>::default());
    loop {
        fill_random(&mut candidate);
        if let Ok(private) = SecretKey::from_bytes(&candidate) {
            return private;
        }
    }
}

/// x and y, without the octet that would name the form (RFC 5903 section 7).
fn encode_point<C>(public: &PublicKey<C>) -> Vec<u8>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    public.to_sec1_point(false).as_bytes()[1..].to_vec()
}

/// The x coordinate of the common point (RFC 5903 section 7). The peer's point must lie on the curve (RFC 6989
/// section 2.3); the curves' order is prime, so that is all.
fn agree_on_curve<C>(private: &SecretKey<C>, peer_public: &[u8]) -> Result<Secret, DhError>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let untagged = peer_public.try_into().map_err(|_| DhError)?;
    let point = Sec1Point::<C>::from_untagged_bytes(untagged);
    let peer = Option::<PublicKey<C>>::from(PublicKey::from_sec1_point(&point)).ok_or(DhError)?;
    Ok(Secret::new(
        private.diffie_hellman(&peer).raw_secret_bytes().to_vec(),
    ))
}
