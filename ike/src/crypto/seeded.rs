//! Randomness that can be had again: what a request was made of, from 32 secret octets that are kept in its place.

use crate::{Prf, Secret};

use super::PrfKey;

/// Octets of a seed.
pub(crate) const SEED_LEN: usize = 32;

/// Octets that nobody can foresee who does not know the seed, each time in the same order: prf+ (RFC 7296 section
/// 2.13) under the seed, of the number of the draw.
pub(crate) struct Seeded {
    key: PrfKey,
    draws: u32,
}

impl Seeded {
    /// `seed` has [`SEED_LEN`] unpredictable octets.
    pub(crate) fn new(seed: &Secret) -> Self {
        Self {
            key: PrfKey::new(Prf::HmacSha256, seed.expose()),
            draws: 0,
        }
    }

    /// Fills `buffer`, which is shorter than 8,160 octets.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) {
        self.draws += 1;
        let octets = self.key.expand(&[&self.draws.to_be_bytes()], buffer.len());
        buffer.copy_from_slice(&octets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_again_and_no_draw_the_same_twice() {
        let drawn = |seed: u8| {
            let mut seeded = Seeded::new(&Secret::new(vec![seed; SEED_LEN]));
            let (mut short, mut long) = ([0; 16], [0; 300]);
            seeded.fill(&mut short);
            seeded.fill(&mut long);
            (short, long)
        };
        let (short, long) = drawn(1);
        assert_eq!(drawn(1), (short, long));
        assert_ne!(drawn(2).0, short);
        assert!(!long.starts_with(&short));
    }
}
