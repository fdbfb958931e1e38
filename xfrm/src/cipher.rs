//! Algorithms of an SA, as the kernel's crypto API names them.

use std::fmt;

use zeroize::Zeroizing;

/// An algorithm and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Algorithm {
    /// As the kernel's crypto API has it.
    pub name: Box<str>,
    /// As the kernel takes it; zeroized on drop.
    pub key: Zeroizing<Box<[u8]>>,
}

impl Algorithm {
    /// With copies of both.
    pub fn new(name: &str, key: &[u8]) -> Self {
        Self {
            name: name.into(),
            key: Zeroizing::new(key.into()),
        }
    }
}

/// What keeps the packets of an SA secret and whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// Both in one: XFRMA_ALG_AEAD.
    Aead {
        /// For example `rfc4106(gcm(aes))`; the key ends with the 4 bytes of salt.
        algorithm: Algorithm,
        /// Length of the integrity check value, in bits.
        icv_bits: u32,
    },
    /// One after the other (RFC 4303 section 3.3.2.1): XFRMA_ALG_CRYPT and XFRMA_ALG_AUTH_TRUNC.
    EncryptThenMac {
        /// For example `cbc(aes)`.
        encryption: Algorithm,
        /// For example `hmac(sha256)`.
        integrity: Algorithm,
        /// Length of the integrity check value, in bits.
        icv_bits: u32,
    },
}

/// Names and the length of keys.
impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, key of {} bits", self.name, self.key.len() * 8)
    }
}

/// Names alone.
impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aead { algorithm, .. } => f.write_str(&algorithm.name),
            Self::EncryptThenMac {
                encryption,
                integrity,
                ..
            } => write!(f, "{} and {}", encryption.name, integrity.name),
        }
    }
}
