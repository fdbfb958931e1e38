//! Chains of payloads, each naming the type of the next (RFC 7296 sections 3.1, 3.2 and 3.14).

use super::length::patch_length_from;
use super::{Fragment, Payload, PayloadType, WireError};

/// Payloads in one chain. The largest honest messages have about twenty; a bound keeps the cost of a datagram in
/// proportion, since a payload may be as small as 4 octets.
const MAX_PAYLOADS: usize = 64;

/// The critical bit of the generic payload header.
const CRITICAL: u8 = 0x80;

/// SK or SKF, still closed. The body is the end of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encrypted<'a> {
    /// SK (RFC 7296 section 3.14): IV, ciphertext and integrity check.
    Whole { first: PayloadType, body: &'a [u8] },
    /// SKF (RFC 7383 section 2.5): the same of a part of the chain.
    Fragment {
        first: PayloadType,
        fragment: Fragment,
        body: &'a [u8],
    },
}

/// Decodes a chain that holds neither SK nor SKF: the inside of an opened SK.
pub(crate) fn decode_payloads(first: PayloadType, chain: &[u8]) -> Result<Vec<Payload<'_>>, WireError> {
    match decode(first, chain)? {
        (payloads, None) => Ok(payloads),
        (_, Some(_)) => Err(WireError::Syntax("SK inside SK")),
    }
}

/// The payloads of a chain, and the SK or SKF that may end it.
pub(super) fn decode(
    first: PayloadType,
    chain: &[u8],
) -> Result<(Vec<Payload<'_>>, Option<Encrypted<'_>>), WireError> {
    let mut payloads = Vec::new();
    let mut kind = first;
    let mut rest = chain;
    while kind != PayloadType::NONE {
        let (RawPayload { next, critical, body }, behind) = split_first(rest)?;
        if kind == PayloadType::SK || kind == PayloadType::SKF {
            if !behind.is_empty() {
                return Err(WireError::Syntax("SK is not the last payload"));
            }
            let encrypted = match kind {
                PayloadType::SK => Encrypted::Whole { first: next, body },
                _ => {
                    let (fragment, body) = Fragment::decode(body)?;
                    Encrypted::Fragment {
                        first: next,
                        fragment,
                        body,
                    }
                }
            };
            return Ok((payloads, Some(encrypted)));
        }
        if payloads.len() == MAX_PAYLOADS {
            return Err(WireError::TooManyPayloads);
        }
        payloads.push(Payload::decode(kind, critical, body)?);
        (kind, rest) = (next, behind);
    }
    if !rest.is_empty() {
        return Err(WireError::Syntax("octets behind the last payload"));
    }
    Ok((payloads, None))
}

/// A payload whose type's own decoder has not seen it yet.
struct RawPayload<'a> {
    /// The next payload's type.
    next: PayloadType,
    critical: bool,
    body: &'a [u8],
}

/// Takes the first payload off a chain, and returns it and the rest (RFC 7296 section 3.2).
fn split_first(chain: &[u8]) -> Result<(RawPayload<'_>, &[u8]), WireError> {
    let ([next, flags, l0, l1], _) = chain
        .split_first_chunk()
        .ok_or(WireError::Syntax("a payload is shorter than its header"))?;
    let length = usize::from(u16::from_be_bytes([*l0, *l1]));
    let (payload, behind) = chain
        .split_at_checked(length)
        .ok_or(WireError::Syntax("a payload is longer than the message"))?;
    let body = payload
        .get(4..)
        .ok_or(WireError::Syntax("a payload's length is below 4"))?;
    Ok((
        RawPayload {
            next: PayloadType(*next),
            critical: flags & CRITICAL != 0,
            body,
        },
        behind,
    ))
}

/// Appends `payloads` as a chain. None is marked critical: RFC 7296 section 3.2
/// asks for that of every type it defines.
///
/// A payload is part of a UDP datagram, so its length always fits the 16 bits of its header.
pub(crate) fn encode_payloads(payloads: &[Payload<'_>], out: &mut Vec<u8>) {
    for (index, payload) in payloads.iter().enumerate() {
        let start = out.len();
        let next = first_of(payloads.get(index + 1..).unwrap_or_default());
        out.extend_from_slice(&[next.0, 0, 0, 0]);
        payload.encode(out);
        patch_length_from(start, out);
    }
}

/// What the header in front of a chain names.
pub(crate) fn first_of(payloads: &[Payload<'_>]) -> PayloadType {
    payloads.first().map_or(PayloadType::NONE, Payload::kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{message, verdict};

    #[test]
    fn chains() {
        let cases = [
            (
                "a type named, nothing there",
                message(40, ""),
                "a payload is shorter than its header",
            ),
            (
                "half a payload header",
                message(40, "0000"),
                "a payload is shorter than its header",
            ),
            (
                "a length of zero",
                message(43, "00000000"),
                "a payload's length is below 4",
            ),
            (
                "a length of three",
                message(43, "00000003"),
                "a payload's length is below 4",
            ),
            (
                "a length beyond the message",
                message(43, "00000005"),
                "a payload is longer than the message",
            ),
            (
                "octets behind the end",
                message(43, "0000000400"),
                "octets behind the last payload",
            ),
            (
                "octets behind a header that names none",
                message(0, "00"),
                "octets behind the last payload",
            ),
            (
                "the second payload is missing",
                message(43, "2b000004"),
                "a payload is shorter than its header",
            ),
            (
                "SK before another payload",
                message(46, "2b000004 00000004"),
                "SK is not the last payload",
            ),
            (
                "SKF before another payload",
                message(53, "2b000004 00000004"),
                "SK is not the last payload",
            ),
        ];
        for (name, message, reason) in cases {
            assert_eq!(verdict(&message), Err(WireError::Syntax(reason)), "{name}");
        }
        assert_eq!(
            verdict(&message(43, &("2b000004".repeat(63) + "00000004"))),
            Ok(()),
            "64 payloads"
        );
        assert_eq!(
            verdict(&message(43, &("2b000004".repeat(64) + "00000004"))),
            Err(WireError::TooManyPayloads)
        );
        assert_eq!(
            decode_payloads(PayloadType::SK, &[0, 0, 0, 4]),
            Err(WireError::Syntax("SK inside SK")),
            "an SK inside an SK"
        );
    }

    /// RFC 7296 section 2.5.
    #[test]
    fn critical_payloads() {
        for kind in [1, 32, 49, 52, 54, 127, 255] {
            assert_eq!(
                verdict(&message(kind, "00800004")),
                Err(WireError::CriticalPayload(kind))
            );
            assert_eq!(
                verdict(&message(kind, "007f0004")),
                Ok(()),
                "the reserved bits say nothing"
            );
        }
        let known = [33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 53];
        for kind in known {
            let verdict = verdict(&message(kind, "00800004"));
            assert!(!matches!(verdict, Err(WireError::CriticalPayload(_))), "{kind}");
        }
    }
}
