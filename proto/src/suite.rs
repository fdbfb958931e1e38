//! Encryption of child SAs by name.

use std::fmt;
use std::str::FromStr;

use crate::Invalid;

/// The encryption of a child SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EspSuite {
    /// `aes128gcm16`: ENCR_AES_GCM_16 (RFC 4106) with a 128-bit key.
    Aes128Gcm16,
    /// `aes256gcm16`: ENCR_AES_GCM_16 (RFC 4106) with a 256-bit key.
    Aes256Gcm16,
}

impl EspSuite {
    /// Every suite, best first.
    pub const ALL: [Self; 2] = [Self::Aes256Gcm16, Self::Aes128Gcm16];

    /// Octets of keying material for one direction: the key and, for GCM, 4 octets of salt behind it (RFC 4106
    /// section 8.1).
    pub fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm16 => 16 + 4,
            Self::Aes256Gcm16 => 32 + 4,
        }
    }

    /// The name on the wire and in commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes128Gcm16 => "aes128gcm16",
            Self::Aes256Gcm16 => "aes256gcm16",
        }
    }
}

impl FromStr for EspSuite {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|suite| suite.name() == text)
            .ok_or_else(|| Invalid::new("suite", text, "is not one of aes256gcm16, aes128gcm16"))
    }
}

impl fmt::Display for EspSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
