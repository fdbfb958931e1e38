//! The random ECP groups of RFC 5903.

use zeroize::Zeroizing;

use crate::point::{Curve, Point};

/// A curve of prime order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ecp {
    /// Group 19, P-256.
    Bits256,
    /// Group 20, P-384.
    Bits384,
}

impl Ecp {
    /// Octets of a private key and of a coordinate, and so of a secret (RFC 5903 section 7).
    pub fn scalar_len(self) -> usize {
        match self {
            Self::Bits256 => 32,
            Self::Bits384 => 48,
        }
    }

    /// The public value of a private key, which is a number in network order: x and y (RFC 5903 section 7). `None` when it is
    /// not in [1, n), n being the order of the group.
    pub fn public(self, private: &[u8]) -> Option<Vec<u8>> {
        let point = Point::multiple_of_generator(self.curve(), &self.curve().scalar(private)?);
        Some(point.coordinates(self.scalar_len()).to_vec())
    }

    /// The common secret: the x coordinate of the common point. `None` when the private key is none, or the peer's public value
    /// no point of the curve (RFC 6989 section 2.3); since the order is prime, that is all there is to verify.
    pub fn agree(self, private: &[u8], peer_public: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if peer_public.len() != 2 * self.scalar_len() {
            return None;
        }
        let private = self.curve().scalar(private)?;
        let common = Point::read(self.curve(), peer_public)?.multiple(&private);
        let mut coordinates = common.coordinates(self.scalar_len());
        coordinates.truncate(self.scalar_len());
        Some(coordinates)
    }

    fn curve(self) -> Curve {
        match self {
            Self::Bits256 => Curve::p256(),
            Self::Bits384 => Curve::p384(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both sides compute the same, and each value has its length.
    #[test]
    fn both_sides_have_the_same_secret() {
        for group in [Ecp::Bits256, Ecp::Bits384] {
            let [ours, theirs] = [7, 9].map(|octet| vec![octet; group.scalar_len()]);
            let [our_public, their_public] = [&ours, &theirs].map(|private| group.public(private).unwrap());
            assert_eq!(our_public.len(), 2 * group.scalar_len());
            let secret = group.agree(&ours, &their_public).unwrap();
            assert_eq!(secret.len(), group.scalar_len());
            assert_eq!(group.agree(&theirs, &our_public), Some(secret));
        }
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        for group in [Ecp::Bits256, Ecp::Bits384] {
            let public = group.public(&vec![7; group.scalar_len()]).unwrap();
            // Zero, above the order, and of another length.
            let (zero, above) = (vec![0; group.scalar_len()], vec![0xff; group.scalar_len()]);
            for bad in [&[][..], &zero, &above, &[1], &zero[1..]] {
                assert_eq!(group.public(bad), None, "{group:?}, {} octets", bad.len());
                assert_eq!(group.agree(bad, &public), None);
            }
        }
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_refused() {
        for group in [Ecp::Bits256, Ecp::Bits384] {
            let private = vec![7; group.scalar_len()];
            let good = group.public(&private).unwrap();
            let mut beside = good.clone();
            beside[good.len() - 1] ^= 1;
            let (zero, above) = (vec![0; good.len()], vec![0xff; good.len()]);
            let with_form = [&[4], &good[..]].concat();
            for bad in [&[][..], &zero, &above, &beside, &good[1..], &with_form] {
                assert_eq!(
                    group.agree(&private, bad),
                    None,
                    "{group:?}, {} octets",
                    bad.len()
                );
            }
        }
    }
}
