//! The random ECP groups P-256 and P-384 (RFC 5903).

use p256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, Sec1Point, ToSec1Point};
use p256::elliptic_curve::{
    AffinePoint, Curve, CurveArithmetic, FieldBytes, FieldBytesSize, PublicKey, SecretKey,
};
use zeroize::Zeroizing;

use super::DhError;
use crate::Secret;

/// A private key by rejection: draws until the number lies in [1, n), which nearly every first draw does.
pub(super) fn generate<C: Curve>(fill_random: &mut dyn FnMut(&mut [u8])) -> SecretKey<C> {
    let mut candidate = Zeroizing::new(FieldBytes::<C>::default());
    loop {
        fill_random(&mut candidate);
        if let Ok(private) = SecretKey::from_bytes(&candidate) {
            return private;
        }
    }
}

/// x and y, without the octet that would name the form (RFC 5903 section 7).
pub(super) fn encode<C>(public: &PublicKey<C>) -> Vec<u8>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    public.to_sec1_point(false).as_bytes()[1..].to_vec()
}

/// The x coordinate of the common point (RFC 5903 section 7). The peer's point must lie on the curve (RFC 6989
/// section 2.3); the curves' order is prime, so that is all.
pub(super) fn agree<C>(private: &SecretKey<C>, peer_public: &[u8]) -> Result<Secret, DhError>
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
