//! The pre-shared key, from a file or standard input: on a command line everyone on the machine could read it.

use std::fs::File;
use std::io::{self, Read};

use ike::Secret;
use zeroize::Zeroizing;

use super::super::failure::{Failure, Kind};

/// RFC 7296 section 2.15 asks for a key with as much unpredictability as the strongest key negotiated; what is
/// shorter than this cannot have it.
const LEAST: usize = 16;
/// More than any router takes.
const MOST: usize = 1024;

/// Reads the key from the file at `path`, or from standard input for `-`.
pub(super) fn read(path: &str) -> Result<Secret, Failure> {
    let wrong =
        |error: io::Error| Failure::new(Kind::Usage, format_args!("{path}: cannot read the key: {error}"));
    let mut text = Zeroizing::new(Vec::with_capacity(MOST + 2)); // It never grows, so no copy stays behind.
    let most = MOST as u64 + 2;
    match path {
        "-" => io::stdin().lock().take(most).read_to_end(&mut text),
        path => File::open(path).and_then(|file| file.take(most).read_to_end(&mut text)),
    }
    .map_err(wrong)?;
    parse(&text).map_err(|reason| Failure::new(Kind::Usage, format_args!("{path}: {reason}")))
}

/// The key without the end of line that editors and `echo` add.
fn parse(text: &[u8]) -> Result<Secret, String> {
    let key = text.strip_suffix(b"\n").unwrap_or(text);
    let key = key.strip_suffix(b"\r").unwrap_or(key);
    match key.len() {
        len if len < LEAST => Err(format!(
            "the key has {len} octets; it needs at least {LEAST} that nobody can guess"
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
                parse(text.as_bytes()).unwrap().expose(),
                b"0123456789abcdef",
                "{text:?}"
            );
        }
        assert_eq!(
            parse(b"0123456789abcdef\n\n").unwrap().expose(),
            b"0123456789abcdef\n"
        );
    }

    #[test]
    fn short_and_long_keys_are_refused_without_showing_them() {
        for text in ["", "\n", "short-secret\n", &"long-secret".repeat(100)] {
            let reason = parse(text.as_bytes()).unwrap_err();
            assert!(!reason.contains("secret"), "{reason}");
        }
    }
}
