//! What keeps messages and packets secret and whole: encryption and integrity together, as data.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use self::Integrity::{HmacSha256, HmacSha384, HmacSha512};
use crate::Invalid;

/// Encryption (transform type 1) with its integrity (transform type 3), which only a cipher that has none of its own
/// gets. The same choice serves IKE messages and, by another RFC, ESP packets. `Display` writes it the way
/// strongSwan's configuration does: `aes256gcm16`, `aes128-sha256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Cipher {
    /// `aes128gcm16`: ENCR_AES_GCM_16 (RFC 5282, RFC 4106) with a 128-bit key.
    Aes128Gcm16,
    /// `aes256gcm16`: ENCR_AES_GCM_16 (RFC 5282, RFC 4106) with a 256-bit key.
    Aes256Gcm16,
    /// `chacha20poly1305`: ENCR_CHACHA20_POLY1305 (RFC 7634).
    ChaCha20Poly1305,
    /// `aes128-sha256` and so on: ENCR_AES_CBC (RFC 3602) with a 128-bit key.
    Aes128Cbc(Integrity),
    /// `aes256-sha256` and so on: ENCR_AES_CBC (RFC 3602) with a 256-bit key.
    Aes256Cbc(Integrity),
}

/// An integrity algorithm of its own (transform type 3): HMAC with SHA-2, its output cut to half (RFC 4868).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Integrity {
    /// AUTH_HMAC_SHA2_256_128.
    HmacSha256,
    /// AUTH_HMAC_SHA2_384_192.
    HmacSha384,
    /// AUTH_HMAC_SHA2_512_256.
    HmacSha512,
}

/// The algorithms of a child SA. As text, by strongSwan's names: `aes256gcm16`, `null-sha256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EspSuite {
    /// Secret and whole.
    Encrypted(Cipher),
    /// `null-sha256` and so on: whole but open to read, ENCR_NULL (RFC 2410).
    Null(Integrity),
}

impl EspSuite {
    /// What a tunnel may use that names nothing else, most wanted first: every suite that encrypts. All of them are
    /// what RFC 8221 asks for or allows; first come those with integrity of their own, of these the ones that hardware
    /// helps with.
    pub const DEFAULT: [Self; 9] = [
        Self::Encrypted(Cipher::Aes256Gcm16),
        Self::Encrypted(Cipher::Aes128Gcm16),
        Self::Encrypted(Cipher::ChaCha20Poly1305),
        Self::Encrypted(Cipher::Aes256Cbc(HmacSha256)),
        Self::Encrypted(Cipher::Aes256Cbc(HmacSha384)),
        Self::Encrypted(Cipher::Aes256Cbc(HmacSha512)),
        Self::Encrypted(Cipher::Aes128Cbc(HmacSha256)),
        Self::Encrypted(Cipher::Aes128Cbc(HmacSha384)),
        Self::Encrypted(Cipher::Aes128Cbc(HmacSha512)),
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

    /// Octets of the encryption key, see [`Cipher::encryption_key_len`].
    pub fn encryption_key_len(self) -> usize {
        match self {
            Self::Encrypted(cipher) => cipher.encryption_key_len(),
            Self::Null(_) => 0,
        }
    }

    /// The integrity that is not part of the encryption.
    pub fn integrity(self) -> Option<Integrity> {
        match self {
            Self::Encrypted(cipher) => cipher.integrity(),
            Self::Null(integrity) => Some(integrity),
        }
    }

    /// Octets of keying material for one direction, that of integrity behind that of encryption (RFC 7296 section
    /// 2.17).
    pub fn key_len(self) -> usize {
        self.encryption_key_len() + self.integrity().map_or(0, Integrity::key_len)
    }

    /// True for ciphers that a repeated IV breaks, so that senders who share a key must send few packets. CBC with HMAC
    /// has no such limit, and NULL no IV.
    pub fn is_counter_mode(self) -> bool {
        self.integrity().is_none()
    }

    /// The name in records and commands, as strongSwan writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Encrypted(cipher) => cipher.name(),
            Self::Null(HmacSha256) => "null-sha256",
            Self::Null(HmacSha384) => "null-sha384",
            Self::Null(HmacSha512) => "null-sha512",
        }
    }
}

impl Cipher {
    /// Transform ID of transform type 1.
    pub fn id(self) -> u16 {
        match self {
            Self::Aes128Gcm16 | Self::Aes256Gcm16 => 20,
            Self::ChaCha20Poly1305 => 28,
            Self::Aes128Cbc(_) | Self::Aes256Cbc(_) => 12,
        }
    }

    /// The key length attribute of the transform; none where there is but one length (RFC 7634 section 5).
    pub fn key_bits(self) -> Option<u16> {
        match self {
            Self::Aes128Gcm16 | Self::Aes128Cbc(_) => Some(128),
            Self::Aes256Gcm16 | Self::Aes256Cbc(_) => Some(256),
            Self::ChaCha20Poly1305 => None,
        }
    }

    /// Of its own, where encryption does not bring it.
    pub fn integrity(self) -> Option<Integrity> {
        match self {
            Self::Aes128Gcm16 | Self::Aes256Gcm16 | Self::ChaCha20Poly1305 => None,
            Self::Aes128Cbc(integrity) | Self::Aes256Cbc(integrity) => Some(integrity),
        }
    }

    /// Octets of SK_ei, and of an ESP SA's encryption key: the key and, in counter mode, 4 octets of salt (RFC 5282
    /// section 7.1, RFC 4106 section 8.1, RFC 7634 section 2).
    pub fn encryption_key_len(self) -> usize {
        match self {
            Self::Aes128Gcm16 => 16 + 4,
            Self::Aes256Gcm16 | Self::ChaCha20Poly1305 => 32 + 4,
            Self::Aes128Cbc(_) => 16,
            Self::Aes256Cbc(_) => 32,
        }
    }

    /// Octets of one direction's keys, that of integrity behind that of encryption (RFC 7296 section 2.17).
    pub fn key_len(self) -> usize {
        self.encryption_key_len() + self.integrity().map_or(0, Integrity::key_len)
    }

    /// As strongSwan writes it.
    fn name(self) -> &'static str {
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
        }
    }
}

impl Integrity {
    /// The cheapest first.
    pub const ALL: [Self; 3] = [Self::HmacSha256, Self::HmacSha384, Self::HmacSha512];

    /// Transform ID of transform type 3.
    pub fn id(self) -> u16 {
        match self {
            Self::HmacSha256 => 12,
            Self::HmacSha384 => 13,
            Self::HmacSha512 => 14,
        }
    }

    /// Octets of its key: those of the hash (RFC 4868 section 2.1.1).
    pub fn key_len(self) -> usize {
        match self {
            Self::HmacSha256 => 32,
            Self::HmacSha384 => 48,
            Self::HmacSha512 => 64,
        }
    }

    /// Octets of its check: half of the hash (RFC 4868 section 2.1.2).
    pub fn icv_len(self) -> usize {
        self.key_len() / 2
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

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_is_known_by_its_name() {
        for suite in EspSuite::all() {
            assert_eq!(suite.to_string().parse(), Ok(suite));
        }
        assert!("null".parse::<EspSuite>().is_err());
    }

    #[test]
    fn suites_are_written_as_strongswan_writes_them() {
        for (suite, written) in [
            (EspSuite::Encrypted(Cipher::Aes256Gcm16), "aes256gcm16"),
            (EspSuite::Encrypted(Cipher::ChaCha20Poly1305), "chacha20poly1305"),
            (
                EspSuite::Encrypted(Cipher::Aes128Cbc(HmacSha512)),
                "aes128-sha512",
            ),
            (EspSuite::Null(HmacSha384), "null-sha384"),
        ] {
            assert_eq!(suite.to_string(), written);
        }
    }
}
