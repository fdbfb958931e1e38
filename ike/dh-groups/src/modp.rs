//! The modular exponential groups of RFC 3526.

use std::cmp::Ordering;
use std::sync::LazyLock;

use zeroize::Zeroizing;

use crate::number::{Modulus, Number};
use crate::primes;

/// A modular exponential group. Its generator is 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modp {
    /// Group 14 (RFC 3526 section 3).
    Bits2048,
    /// Group 15 (RFC 3526 section 4).
    Bits3072,
    /// Group 16 (RFC 3526 section 5).
    Bits4096,
}

/// Made once: each computes a square modulo its prime.
static MODULI: [LazyLock<Modulus>; 3] = [
    LazyLock::new(|| Modulus::new(&primes::BITS_2048)),
    LazyLock::new(|| Modulus::new(&primes::BITS_3072)),
    LazyLock::new(|| Modulus::new(&primes::BITS_4096)),
];

impl Modp {
    /// Octets of a private exponent: twice the strength of the group, by the higher of both estimates in RFC 3526 section 8.
    pub fn exponent_len(self) -> usize {
        match self {
            Self::Bits2048 => 320 / 8,
            Self::Bits3072 => 424 / 8,
            Self::Bits4096 => 480 / 8,
        }
    }

    /// Octets of the prime, and so of public values and secrets (RFC 7296 sections 2.14 and 3.4).
    pub fn prime_len(self) -> usize {
        match self {
            Self::Bits2048 => 2048 / 8,
            Self::Bits3072 => 3072 / 8,
            Self::Bits4096 => 4096 / 8,
        }
    }

    /// The public value of a private exponent, which is a number in network order.
    pub fn public(self, exponent: &[u8]) -> Vec<u8> {
        self.modulus().power(&Number::new(&[2]), exponent).to_vec()
    }

    /// The common secret; `None` when the peer's public value is none. A public value r has to satisfy 1 < r < p-1
    /// (RFC 6989 section 2.1); with these primes, whose half is prime too, that is all.
    pub fn agree(self, exponent: &[u8], peer_public: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if peer_public.len() != self.prime_len() {
            return None;
        }
        let (modulus, peer_public) = (self.modulus(), Number::new(peer_public));
        let is_above_one = peer_public.compare(&Number::new(&[1])) == Ordering::Greater;
        let is_good = is_above_one && peer_public.compare(modulus.greatest()) == Ordering::Less;
        is_good.then(|| modulus.power(&peer_public, exponent))
    }

    fn modulus(self) -> &'static Modulus {
        match self {
            Self::Bits2048 => &MODULI[0],
            Self::Bits3072 => &MODULI[1],
            Self::Bits4096 => &MODULI[2],
        }
    }
}

#[cfg(test)]
mod tests {
    use ring::digest;

    use super::*;

    fn sha256(octets: &[u8]) -> String {
        let digest = digest::digest(&digest::SHA256, octets);
        digest
            .as_ref()
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect()
    }

    /// Digests of both public values and of the secret, computed with Python's pow() from the primes in the text of
    /// RFC 3526. One exponent counts up from 1, the other down from 255.
    #[test]
    fn secrets_as_by_another_arithmetic() {
        for (group, length, public_up, public_down, secret) in [
            (
                Modp::Bits2048,
                256,
                "3ae26e14ac54744ba175a8b2c76205eebfc4fdb8314c4c40ae2ea47b3c0e28a3",
                "98e51d46204acc6e6494f73b42bea4c6598a9fbed684a7d4c7ea65fb7a531a30",
                "92a75375b3ea0974701c1d1910b074643166d3660053ea6c1c76fe13215ab174",
            ),
            (
                Modp::Bits3072,
                384,
                "3e8aafd670fd2402ca212ee8a0cc224d386360da99321bc61b2aa3f9304e4da8",
                "05c2a0da7895a84b4b6e36c17991b80296e2419ac12d8e449e6e92ab592713a1",
                "1904600914d96b4d0ba363bd1b24858aeeabbca18d38fa5cd2c73ee37f0020bd",
            ),
            (
                Modp::Bits4096,
                512,
                "7c9e4cdd9c1f1d69a426a40ae0987ba78b4ec3eda95fb8ecfe68cca73fc0acdd",
                "d9db7bbd08075077a97ea271775187b4ca939b3d8b942b06a2722213c9d8246c",
                "a81a626584dbc6fdc1066d010f589cb64c99447b8d93d7c03f7d6de4bc2364fd",
            ),
        ] {
            let counting =
                |value: fn(u8) -> u8| -> Vec<u8> { (0..).map(value).take(group.exponent_len()).collect() };
            let (up, down) = (counting(|index| 1 + index), counting(|index| 255 - index));
            let (of_up, of_down) = (group.public(&up), group.public(&down));
            assert_eq!(of_up.len(), length);
            assert_eq!(sha256(&of_up), public_up);
            assert_eq!(sha256(&of_down), public_down);
            assert_eq!(sha256(&group.agree(&up, &of_down).unwrap()), secret);
            assert_eq!(sha256(&group.agree(&down, &of_up).unwrap()), secret);
        }
    }

    /// An exponent of one puts the peer's value through: 0, 1, p-1, p, p+1 and more, and 2 and p-2 beside them, which are good.
    #[test]
    fn values_that_make_the_secret_known_are_refused() {
        let group = Modp::Bits2048;
        let padded = |last: u8| -> Vec<u8> {
            let mut value = vec![0; 256];
            value[255] = last;
            value
        };
        // p - 1 = (p - 2) + 1: the prime ends in eight octets of ones.
        let prime = group.modulus().greatest().to_octets(256);
        let near_prime = |last: u8| {
            let mut value = prime.to_vec();
            value[255] = last;
            value
        };
        assert_eq!(prime[255], 0xfe, "p-1");
        let mut above = near_prime(0);
        above[248..].fill(0);
        above[..248].copy_from_slice(&prime[..248]);
        // p + 1: the last eight octets overflow into those before.
        let carried = above[..248]
            .iter_mut()
            .rev()
            .find(|octet| **octet != 0xff)
            .unwrap();
        *carried += 1;
        for bad in [
            padded(0),
            padded(1),
            near_prime(0xfe),
            near_prime(0xff),
            above,
            vec![0xff; 256],
        ] {
            assert_eq!(group.agree(&[1], &bad), None, "{bad:02x?}");
        }
        for good in [padded(2), near_prime(0xfd)] {
            assert_eq!(group.agree(&[1], &good).as_deref(), Some(&good));
        }
        for other_length in [vec![], vec![2], vec![2; 255], vec![2; 257]] {
            assert_eq!(
                group.agree(&[1], &other_length),
                None,
                "{} octets",
                other_length.len()
            );
        }
    }

    /// The prime is that of the RFC's formula, not only one with these digests.
    #[test]
    fn primes_begin_and_end_with_64_ones() {
        for group in [Modp::Bits2048, Modp::Bits3072, Modp::Bits4096] {
            let greatest = group.modulus().greatest().to_octets(group.prime_len());
            assert_eq!(greatest[..8], [0xff; 8]);
            assert_eq!(
                greatest[greatest.len() - 8..],
                [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]
            );
        }
    }
}
