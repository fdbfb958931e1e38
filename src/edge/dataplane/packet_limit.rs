//! How many packets each of several senders may send under one outbound key.

/// The hard packet limit of an AES-GCM SA at each of `senders` edges that send with one key.
///
/// Linux makes the IV of a packet from its 64-bit sequence number and a random salt of the SA instance, by XOR
/// (crypto/seqiv.c). The IVs of two instances that send up to 2^k packets each meet only if their salts differ in
/// nothing but the low k bits: probability 2^(k-64) for a pair, and N(N-1)/2 pairs have that many chances. NIST
/// SP 800-38D section 8 allows 2^-32 for all of them, so k = floor(32 - log2(N(N-1)/2)).
///
/// An edge that sends alone is counted as two: when its machine reboots, or its SA is made anew, the sequence starts
/// again under another salt, which is another sender as far as IVs go.
pub(crate) fn packet_limit(senders: usize) -> u64 {
    let senders = senders.max(2) as u128;
    let pairs = senders * (senders - 1) / 2;
    let log2_rounded_up = pairs.next_power_of_two().trailing_zeros();
    1 << 32_u32.saturating_sub(log2_rounded_up)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_rule() {
        for (senders, limit) in [
            (1, 1 << 32),
            (2, 1 << 32),
            (3, 1 << 30),
            (4, 1 << 29),
            (10, 1 << 26),
            (100, 1 << 19),
            (1023, 1 << 13),
        ] {
            assert_eq!(packet_limit(senders), limit, "{senders} senders");
        }
    }

    #[test]
    fn the_probability_of_an_iv_that_comes_twice_stays_within_nists_bound() {
        for senders in 2..=1023_usize {
            let pairs = (senders * (senders - 1) / 2) as f64;
            let one_pair = packet_limit(senders) as f64 / 2_f64.powi(64);
            assert!(pairs * one_pair <= 2_f64.powi(-32), "{senders} senders");
        }
    }
}
