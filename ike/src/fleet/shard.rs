//! Which of an edge's responders an IKE SA belongs to.
//!
//! An edge may run several responders, each on a thread of its own. An IKE SA lives on one of them, and so does whatever is to
//! become one: its *shard* says on which. There is a fixed number of shards, so that an edge can start again with another
//! number of threads and restore the IKE SAs it had. The shard is a part of the responder SPIs that the edge issues
//! ([`super::spi`]).

/// How many shards there are is two to the power of this.
pub(crate) const SHARD_BITS: u32 = 6;

/// One of [`Shard::COUNT`] parts that the IKE SAs of an edge fall into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    /// How many there are.
    pub const COUNT: usize = 1 << SHARD_BITS;

    /// Of the low bits of `bits`; the others do not count.
    pub(crate) fn of_bits(bits: u8) -> Self {
        Self(bits & (Self::COUNT as u8 - 1))
    }

    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// Which of `responders` has it: a number below theirs.
    ///
    /// # Panics
    /// If there are none.
    pub fn of(self, responders: usize) -> usize {
        usize::from(self.0) % responders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_so_many_responders_has_its_share() {
        for responders in 1..=8 {
            let mut shares = vec![0; responders];
            for bits in 0..Shard::COUNT as u8 {
                shares[Shard::of_bits(bits).of(responders)] += 1;
            }
            let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
            assert!(most - least <= 1, "{shares:?}");
        }
    }
}
