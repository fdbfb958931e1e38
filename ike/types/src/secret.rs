//! Key material that wipes itself and never shows itself.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Secret bytes: zeroized on drop, compared in constant time, shown by `Debug` as their length only.
#[derive(Clone, Default, Zeroize, ZeroizeOnDrop, Deserialize)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes ownership of `bytes`; the caller keeps no copy.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes themselves. Name the use at the call, so that a reader can find every place where keys leave.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes of an even number of hexadecimal digits of either case, `None` for anything else. Takes the same time for
    /// all digits, and leaves no copy behind.
    pub fn from_hex(digits: &str) -> Option<Self> {
        let mut secret = Self(vec![0; digits.len() / 2]);
        let length = base16ct::mixed::decode(digits, &mut secret.0).ok()?.len();
        (length == secret.0.len()).then_some(secret)
    }

    /// The bytes as hexadecimal digits, in the same time for all of them.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(base16ct::lower::encode_string(&self.0))
    }
}

/// At once and not octet by octet, which is the same in encodings that do not tell bytes from a sequence of small numbers.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.0.as_slice(), other.0.as_slice()).into()
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_it_is_shown() {
        let secret = Secret::new(vec![0xab; 32]);
        assert_eq!(format!("{secret:?}"), "Secret(32 bytes)");
    }

    #[test]
    fn digits_become_the_bytes_and_digits_again() {
        let secret = Secret::from_hex("00fFa5").unwrap();
        assert_eq!(secret.expose(), [0, 0xff, 0xa5]);
        assert_eq!(*secret.to_hex(), "00ffa5");
        for wrong in ["0", "0g", "00ff0", " 00"] {
            assert!(Secret::from_hex(wrong).is_none(), "{wrong}");
        }
    }
}
