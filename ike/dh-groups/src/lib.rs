//! Diffie-Hellman in the modular exponential groups of RFC 3526 and in the random ECP groups of RFC 5903, in constant time,
//! with aws-lc.
//!
//! A private key is octets of the caller's, which may keep them. All that is unsafe is in `number` and `point`: calls of C
//! functions by owners of what these give.

mod ecp;
mod modp;
mod number;
mod point;
mod primes;

pub use ecp::Ecp;
pub use modp::Modp;
