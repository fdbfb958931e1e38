//! How a post-quantum pre-shared key is named (RFC 8784).

use std::fmt;
use std::str::FromStr;

use crate::{Invalid, limits};

/// PPK_ID without its type octet, which is PPK_ID_FIXED (RFC 8784 section 5.1): 1 to 255 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PpkId(String);

impl PpkId {
    /// The identifier as it stands in a notification, behind its type.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for PpkId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = text.bytes().all(|c| c.is_ascii_graphic());
        match allowed && (1..=limits::IDENTITY).contains(&text.len()) {
            true => Ok(Self(text.to_owned())),
            false => Err(Invalid::new(
                "ppk.id",
                text,
                "is not 1 to 255 printable ASCII characters without blanks",
            )),
        }
    }
}

impl AsRef<str> for PpkId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PpkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
