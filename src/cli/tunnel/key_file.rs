//! A key that both sides share, from a file or standard input: on a command line everyone on the machine could read it.

use std::io::{self, Read};

use proto::Secret;
use zeroize::Zeroizing;

use super::super::failure::{Failure, Kind};

/// More than any router takes.
const MOST: usize = 1024;

/// Stands for standard input.
pub(super) const STANDARD_INPUT: &str = "-";

/// Reads the key, of `least` octets or more, from the file at `path`, or from standard input for `-`.
pub(super) fn read(path: &str, least: usize) -> Result<Secret, Failure> {
    let wrong =
        |error: io::Error| Failure::new(Kind::Usage, format_args!("{path}: cannot read the key: {error}"));
    let mut text = Zeroizing::new(Vec::with_capacity(MOST + 2)); // It never grows, so no copy stays behind.
    let most = MOST as u64 + 2;
    match path {
        STANDARD_INPUT => io::stdin().lock().take(most).read_to_end(&mut text),
        path => files::open_secret(path.as_ref())?
            .take(most)
            .read_to_end(&mut text),
    }
    .map_err(wrong)?;
    parse(&text, least).map_err(|reason| Failure::new(Kind::Usage, format_args!("{path}: {reason}")))
}

/// The key without the end of line that editors and `echo` add.
fn parse(text: &[u8], least: usize) -> Result<Secret, String> {
    let key = text.strip_suffix(b"\n").unwrap_or(text);
    let key = key.strip_suffix(b"\r").unwrap_or(key);
    match key.len() {
        len if len < least => Err(format!(
            "the key has {len} octets; it needs at least {least} that nobody can guess"
        )),
        len if len > MOST => Err(format!(
            "the key is longer than {MOST} octets; is this the right file?"
        )),
        _ => Ok(Secret::new(key.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_end_of_line_is_not_part_of_the_key() {
        for text in ["0123456789abcdef", "0123456789abcdef\n", "0123456789abcdef\r\n"] {
            assert_eq!(
                parse(text.as_bytes(), 16).unwrap().expose(),
                b"0123456789abcdef",
                "{text:?}"
            );
        }
        assert_eq!(
            parse(b"0123456789abcdef\n\n", 16).unwrap().expose(),
            b"0123456789abcdef\n"
        );
    }

    #[test]
    fn short_and_long_keys_are_refused_without_showing_them() {
        for text in ["", "\n", "short-secret\n", &"long-secret".repeat(100)] {
            let reason = parse(text.as_bytes(), 16).unwrap_err();
            assert!(!reason.contains("secret"), "{reason}");
        }
    }
}
