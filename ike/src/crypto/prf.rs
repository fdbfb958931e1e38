//! Pseudorandom functions and prf+ (RFC 7296 section 2.13).

use std::fmt;

use ike_types::Integrity;
use ring::hmac;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Octets of the longest output.
const MAX_OUTPUT: usize = 64;

/// A pseudorandom function (transform type 2), HMAC with SHA-2 (RFC 4868).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Prf {
    /// PRF_HMAC_SHA2_256.
    HmacSha256,
    /// PRF_HMAC_SHA2_384.
    HmacSha384,
    /// PRF_HMAC_SHA2_512.
    HmacSha512,
}

impl Prf {
    /// Transform ID of transform type 2.
    pub(crate) fn id(self) -> u16 {
        match self {
            Self::HmacSha256 => 5,
            Self::HmacSha384 => 6,
            Self::HmacSha512 => 7,
        }
    }

    /// Octets of output, which is also the preferred key length (RFC 7296 section 2.13).
    pub(crate) fn len(self) -> usize {
        match self {
            Self::HmacSha256 => 32,
            Self::HmacSha384 => 48,
            Self::HmacSha512 => 64,
        }
    }
}

/// The same HMAC, not cut.
impl From<Integrity> for Prf {
    fn from(integrity: Integrity) -> Self {
        match integrity {
            Integrity::HmacSha256 => Self::HmacSha256,
            Integrity::HmacSha384 => Self::HmacSha384,
            Integrity::HmacSha512 => Self::HmacSha512,
        }
    }
}

impl fmt::Display for Prf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "prfsha{}", self.len() * 8)
    }
}

/// A key of a pseudorandom function, its inner and outer hash states already computed.
pub(crate) struct PrfKey(hmac::Key);

impl PrfKey {
    /// HMAC takes keys of any length (RFC 7296 section 2.14: the nonces together are one).
    pub(crate) fn new(prf: Prf, key: &[u8]) -> Self {
        let algorithm = match prf {
            Prf::HmacSha256 => hmac::HMAC_SHA256,
            Prf::HmacSha384 => hmac::HMAC_SHA384,
            Prf::HmacSha512 => hmac::HMAC_SHA512,
        };
        Self(hmac::Key::new(algorithm, key))
    }

    /// prf over `parts`, one behind the other.
    pub(crate) fn compute(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        context.sign()
    }

    /// The first `len` octets of prf+(key, S), where S is the parts of `seed` one behind the other: T1 | T2 | ... with
    /// Tn = prf(key, Tn-1 | S | n) (RFC 7296 section 2.13). All keys of an IKE SA or a child SA need far fewer than
    /// the 255 blocks there are.
    pub(crate) fn expand(&self, seed: &[&[u8]], len: usize) -> Zeroizing<Vec<u8>> {
        let mut output = Zeroizing::new(Vec::with_capacity(len + MAX_OUTPUT));
        let mut previous: Option<hmac::Tag> = None;
        for number in 1..=u8::MAX {
            let mut context = hmac::Context::with_key(&self.0);
            if let Some(previous) = &previous {
                context.update(previous.as_ref());
            }
            seed.iter().for_each(|part| context.update(part));
            context.update(&[number]);
            let block = context.sign();
            output.extend_from_slice(block.as_ref());
            if output.len() >= len {
                break;
            }
            previous = Some(block);
        }
        output.truncate(len);
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::unhex;

    /// RFC 4868 section 2.7.2, cases 1 and 4 of each function.
    #[test]
    fn hmacs_as_rfc_4868_section_2_7_2() {
        let counting = |first: u8, last: u8| (first..=last).collect::<Vec<u8>>();
        let key_384 = [counting(0x01, 0x20), counting(0x0a, 0x19)].concat();
        let key_512 = counting(0x01, 0x40);
        let cases: [(Prf, &[u8], &[u8], &str); 6] = [
            (
                Prf::HmacSha256,
                &[0x0b; 32],
                b"Hi There",
                "198a607eb44bfbc69903a0f1cf2bbdc5 ba0aa3f3d9ae3c1c7a3b1696a0b68cf7",
            ),
            (
                Prf::HmacSha256,
                &counting(0x01, 0x20),
                &[0xcd; 50],
                "372efcf9b40b35c2115b1346903d2ef4 2fced46f0846e7257bb156d3d7b30d3f",
            ),
            (
                Prf::HmacSha384,
                &[0x0b; 48],
                b"Hi There",
                "b6a8d5636f5c6a7224f9977dcf7ee6c7 fb6d0c48cbdee9737a959796489bddbc
                 4c5df61d5b3297b4fb68dab9f1b582c2",
            ),
            (
                Prf::HmacSha384,
                &key_384,
                &[0xcd; 50],
                "5b540085c6e6358096532b2493609ed1 cb298f774f87bb5c2ebf182c83cc7428
                 707fb92eab2536a5812258228bc96687",
            ),
            (
                Prf::HmacSha512,
                &[0x0b; 64],
                b"Hi There",
                "637edc6e01dce7e6742a99451aae82df 23da3e92439e590e43e761b33e910fb8
                 ac2878ebd5803f6f0b61dbce5e251ff8 789a4722c1be65aea45fd464e89f8f5b",
            ),
            (
                Prf::HmacSha512,
                &key_512,
                &[0xcd; 50],
                "5e6688e5a3daec826ca32eaea224eff5 e700628947470e13ad01302561bab108
                 b8c48cbc6b807dcfbd850521a685babc 7eae4a2a2e660dc0e86b931d65503fd2",
            ),
        ];
        for (prf, key, data, expected) in cases {
            let (front, back) = data.split_at(data.len() / 2);
            let tag = PrfKey::new(prf, key).compute(&[front, back]);
            assert_eq!(tag.as_ref(), unhex(expected), "{prf}");
            assert_eq!(prf.len(), tag.as_ref().len());
        }
    }

    /// Computed with Python's hmac after the formula of RFC 7296 section 2.13.
    #[test]
    fn expansion_chains_its_blocks() {
        let cases = [
            (
                Prf::HmacSha256,
                "a2392e42 9a99b173 341b368b b5ce320b fd483d89 567c14ec 187c2d77 e3c0a208
                 ba45d21d 42611712 996c0cd4 b329ac86 81e093a8 a5bbbbf0 fb8c9d1c f674f742
                 3fe3d2fb d6641ff5 44749daa 37804f04",
            ),
            (
                Prf::HmacSha512,
                "173a6224 816997fa 5b2129f1 c4d26d62 90288466 63e6e27d d28d35d0 de375705
                 6e7da6c4 214436a0 7fa827ba 4329baf9 097b2edd f4c1ea2b 89caf651 89987801
                 bbb7a712 5bce5d65 d77bfd4a 0705ef9b",
            ),
        ];
        for (prf, expected) in cases {
            let expected = unhex(expected);
            let key = PrfKey::new(prf, b"key");
            assert_eq!(*key.expand(&[b"se", b"ed"], 80), expected, "{prf}");
            assert_eq!(*key.expand(&[b"seed"], 33), expected[..33], "{prf}, a prefix");
        }
    }
}
