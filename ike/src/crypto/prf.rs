//! Pseudorandom functions and prf+ (RFC 7296 section 2.13).

use std::fmt;

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

    /// prf(key, parts[0] | parts[1] | ...).
    pub(crate) fn compute(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        context.sign()
    }

    /// The first `len` octets of prf+(key, seed[0] | seed[1] | ...): T1 | T2 | ... with
    /// Tn = prf(key, Tn-1 | seed | n) (RFC 7296 section 2.13). All keys of an IKE SA or a child SA need far fewer than
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
