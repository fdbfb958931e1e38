//! Encryption of child SAs by name.

use std::fmt;
use std::str::FromStr;

use self::Integrity::{HmacSha256, HmacSha384, HmacSha512};
use crate::Invalid;

/// The encryption and integrity of a child SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EspSuite {
    /// `aes128gcm16`: ENCR_AES_GCM_16 (RFC 4106) with a 128-bit key.
    Aes128Gcm16,
    /// `aes256gcm16`: ENCR_AES_GCM_16 (RFC 4106) with a 256-bit key.
    Aes256Gcm16,
    /// `chacha20poly1305`: ENCR_CHACHA20_POLY1305 (RFC 7634).
    ChaCha20Poly1305,
    /// `aes128-sha256` and so on: ENCR_AES_CBC (RFC 3602) with a 128-bit key.
    Aes128Cbc(Integrity),
    /// `aes256-sha256` and so on: ENCR_AES_CBC (RFC 3602) with a 256-bit key.
    Aes256Cbc(Integrity),
    /// `null-sha256` and so on: ENCR_NULL (RFC 2410), which hides nothing.
    Null(Integrity),
}

/// The integrity beside a cipher that has none of its own: HMAC with SHA-2, its output cut to half (RFC 4868).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Integrity {
    /// AUTH_HMAC_SHA2_256_128.
    HmacSha256,
    /// AUTH_HMAC_SHA2_384_192.
    HmacSha384,
    /// AUTH_HMAC_SHA2_512_256.
    HmacSha512,
}

impl EspSuite {
    /// What a tunnel may use that names nothing else, most wanted first: every suite that encrypts. All of them are
    /// what RFC 8221 asks for or allows; first come those with integrity of their own, of these the ones that hardware
    /// helps with.
    pub const DEFAULT: [Self; 9] = [
        Self::Aes256Gcm16,
        Self::Aes128Gcm16,
        Self::ChaCha20Poly1305,
        Self::Aes256Cbc(HmacSha256),
        Self::Aes256Cbc(HmacSha384),
        Self::Aes256Cbc(HmacSha512),
        Self::Aes128Cbc(HmacSha256),
        Self::Aes128Cbc(HmacSha384),
        Self::Aes128Cbc(HmacSha512),
    ];

    /// Those that a tunnel has to name.
    pub const NULL: [Self; 3] = [
        Self::Null(HmacSha256),
        Self::Null(HmacSha384),
        Self::Null(HmacSha512),
    ];

    /// Every suite, best first.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::DEFAULT.into_iter().chain(Self::NULL)
    }

    /// Octets of the encryption key, in counter mode with 4 octets of salt behind it (RFC 4106 section 8.1, RFC 7634
    /// section 2).
    pub fn encryption_key_len(self) -> usize {
        match self {
            Self::Aes128Gcm16 => 16 + 4,
            Self::Aes256Gcm16 | Self::ChaCha20Poly1305 => 32 + 4,
            Self::Aes128Cbc(_) => 16,
            Self::Aes256Cbc(_) => 32,
            Self::Null(_) => 0,
        }
    }

    /// The integrity that is not part of the encryption.
    pub fn integrity(self) -> Option<Integrity> {
        match self {
            Self::Aes128Gcm16 | Self::Aes256Gcm16 | Self::ChaCha20Poly1305 => None,
            Self::Aes128Cbc(integrity) | Self::Aes256Cbc(integrity) | Self::Null(integrity) => {
                Some(integrity)
            }
        }
    }

    /// Octets of keying material for one direction: the encryption key, and that of integrity behind it (RFC 7296
    /// section 2.17).
    pub fn key_len(self) -> usize {
        self.encryption_key_len() + self.integrity().map_or(0, Integrity::key_len)
    }

    /// True for ciphers that a repeated IV breaks, so that senders who share a key must send few packets. CBC with HMAC
    /// has no such limit, and NULL no IV.
    pub fn is_counter_mode(self) -> bool {
        self.integrity().is_none()
    }

    /// The name on the wire and in commands, as strongSwan writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes128Gcm16 => "aes128gcm16",
            Self::Aes256Gcm16 => "aes256gcm16",
            Self::ChaCha20Poly1305 => "chacha20poly1305",
            Self::Aes128Cbc(HmacSha256) => "aes128-sha256",
            Self::Aes128Cbc(HmacSha384) => "aes128-sha384",
            Self::Aes128Cbc(HmacSha512) => "aes128-sha512",
            Self::Aes256Cbc(HmacSha256) => "aes256-sha256",
            Self::Aes256Cbc(HmacSha384) => "aes256-sha384",
            Self::Aes256Cbc(HmacSha512) => "aes256-sha512",
            Self::Null(HmacSha256) => "null-sha256",
            Self::Null(HmacSha384) => "null-sha384",
            Self::Null(HmacSha512) => "null-sha512",
        }
    }
}

impl Integrity {
    /// Octets of its key: those of the hash (RFC 4868 section 2.1.1).
    pub fn key_len(self) -> usize {
        match self {
            HmacSha256 => 32,
            HmacSha384 => 48,
            HmacSha512 => 64,
        }
    }
}

impl FromStr for EspSuite {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let suite = Self::all().find(|suite| suite.name() == text);
        suite.ok_or_else(|| {
            let names: Vec<_> = Self::all().map(Self::name).collect();
            Invalid::new("suite", text, format!("is not one of {}", names.join(", ")))
        })
    }
}

impl fmt::Display for EspSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
