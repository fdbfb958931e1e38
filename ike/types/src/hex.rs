//! Hexadecimal octets, two lower-case digits each.

use std::fmt;

/// Shows octets in hexadecimal.
#[derive(Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// The octets of an even number of digits of either case, `None` for anything else.
pub fn decode(digits: &str) -> Option<Vec<u8>> {
    base16ct::mixed::decode_vec(digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_come_back_from_their_digits() {
        let all: Vec<u8> = (0..=255).collect();
        let digits = Hex(&all).to_string();
        assert!(
            digits.starts_with("000102") && digits.ends_with("fdfeff"),
            "{digits}"
        );
        assert_eq!(decode(&digits), Some(all.clone()));
        assert_eq!(decode(&digits.to_uppercase()), Some(all));
        assert_eq!(decode(""), Some(vec![]));
        for wrong in ["0", "0g", " 00", "0x00", "00ff0", "é"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
