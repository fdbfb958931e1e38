//! What SKF's body begins with (RFC 7383 section 2.5).

use super::WireError;

/// Which of a message's fragments: `1 <= number <= total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) number: u16,
    pub(crate) total: u16,
}

impl Fragment {
    /// Octets in front of the IV.
    pub(crate) const LEN: usize = 4;

    /// Takes it off the body: what is left is like SK's.
    pub(super) fn decode(body: &[u8]) -> Result<(Self, &[u8]), WireError> {
        let ([n0, n1, t0, t1], rest) = body
            .split_first_chunk()
            .ok_or(WireError::Syntax("SKF is shorter than its fixed part"))?;
        let number = u16::from_be_bytes([*n0, *n1]);
        let total = u16::from_be_bytes([*t0, *t1]);
        if number == 0 || number > total {
            return Err(WireError::Syntax("a fragment's number is not among them"));
        }
        Ok((Self { number, total }, rest))
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.total.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{single, verdict};

    #[test]
    fn numbers_must_be_among_the_fragments() {
        for (body, is_good) in [
            ("00010001", true),
            ("00020003", true),
            ("ffffffff", true),
            ("00000001", false),
            ("00000000", false),
            ("00040003", false),
            ("00010000", false),
        ] {
            let error = Err(WireError::Syntax("a fragment's number is not among them"));
            let expected = if is_good { Ok(()) } else { error };
            assert_eq!(verdict(&single(53, body)), expected, "{body}");
        }
        assert_eq!(
            verdict(&single(53, "000100")),
            Err(WireError::Syntax("SKF is shorter than its fixed part"))
        );
    }
}
