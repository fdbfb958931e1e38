//! Big numbers of aws-lc, each with an owner that frees it. aws-lc wipes whatever it frees.

use std::cmp::Ordering;
use std::ptr::{self, NonNull};

use aws_lc_sys::{
    BIGNUM, BN_CTX, BN_CTX_free, BN_CTX_new, BN_MONT_CTX, BN_MONT_CTX_new_for_modulus, BN_bin2bn,
    BN_bn2bin_padded, BN_clear_free, BN_cmp, BN_is_zero, BN_mod_exp_mont_consttime, BN_new, BN_sub_word,
};
use zeroize::Zeroizing;

/// aws-lc fails for want of memory only, and then Rust would have ended the process.
pub(crate) const MEMORY: &str = "aws-lc has memory";

/// A natural number.
pub(crate) struct Number(NonNull<BIGNUM>);

impl Number {
    /// From octets in network order.
    pub(crate) fn new(octets: &[u8]) -> Self {
        // SAFETY: it reads so many octets from there, and makes a new number since none is given.
        let number = unsafe { BN_bin2bn(octets.as_ptr(), octets.len(), ptr::null_mut()) };
        Self(NonNull::new(number).expect(MEMORY))
    }

    /// In network order, with zeros in front. The number is below 2^(8 `length`).
    pub(crate) fn to_octets(&self, length: usize) -> Zeroizing<Vec<u8>> {
        let mut octets = Zeroizing::new(vec![0; length]);
        // SAFETY: it writes `length` octets, which are there, or none.
        let is_done = unsafe { BN_bn2bin_padded(octets.as_mut_ptr(), octets.len(), self.0.as_ptr()) };
        assert_eq!(is_done, 1, "the number fits");
        octets
    }

    pub(crate) fn is_zero(&self) -> bool {
        // SAFETY: it is a number, and only read.
        unsafe { BN_is_zero(self.0.as_ptr()) == 1 }
    }

    /// # Safety
    ///
    /// `other` is a number that lives.
    pub(crate) unsafe fn is_below(&self, other: *const BIGNUM) -> bool {
        // SAFETY: both are numbers, and only read.
        unsafe { BN_cmp(self.0.as_ptr(), other) < 0 }
    }

    /// For functions that only read it.
    pub(crate) fn as_ptr(&self) -> *const BIGNUM {
        self.0.as_ptr()
    }

    /// Not in constant time: for public values.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        // SAFETY: both are numbers, and only read.
        unsafe { BN_cmp(self.0.as_ptr(), other.0.as_ptr()) }.cmp(&0)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // SAFETY: it is ours alone, and not used any more.
        unsafe { BN_clear_free(self.0.as_ptr()) }
    }
}

/// Room for what a computation has in between.
struct Scratch(NonNull<BN_CTX>);

impl Scratch {
    fn new() -> Self {
        // SAFETY: it takes nothing.
        Self(NonNull::new(unsafe { BN_CTX_new() }).expect(MEMORY))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: as for a number.
        unsafe { BN_CTX_free(self.0.as_ptr()) }
    }
}

/// A prime of RFC 3526, and what aws-lc computes from it beforehand. It lives as long as the process.
pub(crate) struct Modulus {
    prime: Number,
    greatest: Number,
    length: usize,
    montgomery: NonNull<BN_MONT_CTX>,
}

// SAFETY: after `Modulus::new` nothing is written to any of it: all functions that get it take it as `const`, and aws-lc itself
// shares such moduli between threads in its RSA keys.
unsafe impl Send for Modulus {}
// SAFETY: as above.
unsafe impl Sync for Modulus {}

impl Modulus {
    /// `prime` is odd, in network order, and greater than two.
    pub(crate) fn new(prime: &[u8]) -> Self {
        let length = prime.len();
        let (prime, greatest) = (Number::new(prime), Number::new(prime));
        // SAFETY: the number is ours alone, and greater than one.
        let is_done = unsafe { BN_sub_word(greatest.0.as_ptr(), 1) };
        assert_eq!(is_done, 1, "{MEMORY}");
        let scratch = Scratch::new();
        // SAFETY: an odd number, as it asks for, and room of ours alone.
        let montgomery = unsafe { BN_MONT_CTX_new_for_modulus(prime.0.as_ptr(), scratch.0.as_ptr()) };
        Self {
            prime,
            greatest,
            length,
            montgomery: NonNull::new(montgomery).expect(MEMORY),
        }
    }

    /// p - 1.
    pub(crate) fn greatest(&self) -> &Number {
        &self.greatest
    }

    /// `base`, which is less than the modulus, to the power of `exponent`: in a time that depends on their lengths only.
    pub(crate) fn power(&self, base: &Number, exponent: &[u8]) -> Zeroizing<Vec<u8>> {
        let exponent = Number::new(exponent);
        // SAFETY: it takes nothing.
        let power = Number(NonNull::new(unsafe { BN_new() }).expect(MEMORY));
        let scratch = Scratch::new();
        // SAFETY: all are numbers, of which it writes to `power` and `scratch` only, which are ours alone; `montgomery` is that
        // of `prime`.
        let is_done = unsafe {
            BN_mod_exp_mont_consttime(
                power.0.as_ptr(),
                base.0.as_ptr(),
                exponent.0.as_ptr(),
                self.prime.0.as_ptr(),
                scratch.0.as_ptr(),
                self.montgomery.as_ptr(),
            )
        };
        assert_eq!(is_done, 1, "the base is less than the modulus, and {MEMORY}");
        power.to_octets(self.length)
    }
}
