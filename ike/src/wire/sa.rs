//! SA: proposals, transforms and their attributes (RFC 7296 section 3.3).

use super::WireError;
use super::length::{in_8_bits, patch_length_from};

/// One proposal (RFC 7296 section 3.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposal<'a> {
    /// Counts from 1 in an offer; the answer repeats the accepted one's.
    pub(crate) number: u8,
    pub(crate) protocol: Protocol,
    /// Empty in IKE_SA_INIT, 8 octets when an IKE SA is rekeyed, 4 for ESP and AH.
    pub(crate) spi: &'a [u8],
    pub(crate) transforms: Vec<Transform>,
}

/// What a proposal, a notification or a deletion is about (RFC 7296 section 3.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// 0: in notifications that are about no SA.
    None,
    Ike,
    Ah,
    Esp,
    Other(u8),
}

/// One transform (RFC 7296 section 3.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transform {
    pub(crate) kind: TransformType,
    pub(crate) id: u16,
    /// The key length attribute, in bits (RFC 7296 section 3.3.5).
    pub(crate) key_bits: Option<u16>,
    /// It has an attribute not known here and must not be chosen (RFC 7296 section 3.3.6). Never sent.
    pub(crate) unknown_attribute: bool,
}

/// Transform types (RFC 7296 section 3.3.2). A proposal with one not known here must not be chosen (section 3.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransformType {
    Encryption,
    Prf,
    Integrity,
    KeyExchange,
    ExtendedSequenceNumbers,
    /// RFC 9370: the first of seven that there may be.
    AdditionalKeyExchange1,
    /// One of the other six, by its number: 7 to 12.
    LaterAdditionalKeyExchange(u8),
    Other(u8),
}

/// "Last Substruc" where another proposal, or another transform, follows.
const MORE_PROPOSALS: u8 = 2;
const MORE_TRANSFORMS: u8 = 3;

/// The key length attribute in its short form: AF bit and type 14.
const KEY_LENGTH: u16 = 0x8000 | 14;

/// The AF bit: the attribute is 4 octets, type and value.
const SHORT_FORM: u16 = 0x8000;

pub(super) fn decode(body: &[u8]) -> Result<Vec<Proposal<'_>>, WireError> {
    let mut proposals = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (proposal, behind) = split_substructure(rest, MORE_PROPOSALS)?;
        proposals.push(Proposal::decode(proposal)?);
        rest = behind;
    }
    Ok(proposals)
}

pub(super) fn encode(proposals: &[Proposal<'_>], out: &mut Vec<u8>) {
    for (index, proposal) in proposals.iter().enumerate() {
        let more = if index + 1 < proposals.len() {
            MORE_PROPOSALS
        } else {
            0
        };
        encode_substructure(more, out, |out| proposal.encode(out));
    }
}

impl<'a> Proposal<'a> {
    /// `proposal` is without the 4 octets that lead a substructure.
    fn decode(proposal: &'a [u8]) -> Result<Self, WireError> {
        let ([number, protocol, spi_len, transform_count], rest) = proposal
            .split_first_chunk()
            .ok_or(WireError::Syntax("a proposal is shorter than its fixed part"))?;
        let (spi, mut rest) = rest
            .split_at_checked(usize::from(*spi_len))
            .ok_or(WireError::Syntax("a proposal's SPI is longer than the proposal"))?;
        let mut transforms = Vec::new();
        while !rest.is_empty() {
            let (transform, behind) = split_substructure(rest, MORE_TRANSFORMS)?;
            transforms.push(Transform::decode(transform)?);
            rest = behind;
        }
        if transforms.len() != usize::from(*transform_count) {
            return Err(WireError::Syntax(
                "a proposal does not have the transforms it counts",
            ));
        }
        Ok(Self {
            number: *number,
            protocol: Protocol::from(*protocol),
            spi,
            transforms,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        // Our SPIs have 0, 4 or 8 octets, and what we accept has one transform of each type.
        let (spi_len, transform_count) = (in_8_bits(self.spi.len()), in_8_bits(self.transforms.len()));
        out.extend_from_slice(&[self.number, self.protocol.into(), spi_len, transform_count]);
        out.extend_from_slice(self.spi);
        for (index, transform) in self.transforms.iter().enumerate() {
            let more = if index + 1 < self.transforms.len() {
                MORE_TRANSFORMS
            } else {
                0
            };
            encode_substructure(more, out, |out| transform.encode(out));
        }
    }
}

impl Transform {
    /// One without attributes.
    pub(crate) fn new(kind: TransformType, id: u16) -> Self {
        Self {
            kind,
            id,
            key_bits: None,
            unknown_attribute: false,
        }
    }

    /// `transform` is without the 4 octets that lead a substructure.
    fn decode(transform: &[u8]) -> Result<Self, WireError> {
        let ([kind, _, id0, id1], mut attributes) = transform
            .split_first_chunk()
            .ok_or(WireError::Syntax("a transform is shorter than its fixed part"))?;
        let mut transform = Self::new(TransformType::from(*kind), u16::from_be_bytes([*id0, *id1]));
        while !attributes.is_empty() {
            attributes = transform.decode_attribute(attributes)?;
        }
        Ok(transform)
    }

    /// Takes in the first of `attributes` and returns the others (RFC 7296 section 3.3.5).
    fn decode_attribute<'a>(&mut self, attributes: &'a [u8]) -> Result<&'a [u8], WireError> {
        let ([t0, t1, v0, v1], behind) = attributes
            .split_first_chunk()
            .ok_or(WireError::Syntax("an attribute is shorter than its fixed part"))?;
        let (kind, value) = (u16::from_be_bytes([*t0, *t1]), u16::from_be_bytes([*v0, *v1]));
        if kind == KEY_LENGTH && self.key_bits.is_none() {
            self.key_bits = Some(value);
            return Ok(behind);
        }
        self.unknown_attribute = true;
        let value_len = if kind & SHORT_FORM != 0 {
            0
        } else {
            usize::from(value)
        };
        behind
            .get(value_len..)
            .ok_or(WireError::Syntax("an attribute is longer than its transform"))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.kind.into(), 0]);
        out.extend_from_slice(&self.id.to_be_bytes());
        if let Some(bits) = self.key_bits {
            out.extend_from_slice(&KEY_LENGTH.to_be_bytes());
            out.extend_from_slice(&bits.to_be_bytes());
        }
    }
}

/// Takes a proposal or a transform off what holds it: its content behind the first 4 octets, and what follows it.
/// They begin alike: whether another follows (`more`, or 0), a reserved octet, and the length.
fn split_substructure(list: &[u8], more: u8) -> Result<(&[u8], &[u8]), WireError> {
    let ([last, _, l0, l1], _) = list
        .split_first_chunk()
        .ok_or(WireError::Syntax("a proposal or transform is cut short"))?;
    let length = usize::from(u16::from_be_bytes([*l0, *l1]));
    let (substructure, behind) = list.split_at_checked(length).ok_or(WireError::Syntax(
        "a proposal or transform is longer than what holds it",
    ))?;
    let content = substructure
        .get(4..)
        .ok_or(WireError::Syntax("a proposal's or transform's length is below 4"))?;
    if *last != if behind.is_empty() { 0 } else { more } {
        return Err(WireError::Syntax(
            "a proposal or transform is wrong about being the last",
        ));
    }
    Ok((content, behind))
}

fn encode_substructure(more: u8, out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[more, 0, 0, 0]);
    content(out);
    patch_length_from(start, out);
}

impl From<u8> for Protocol {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Ike,
            2 => Self::Ah,
            3 => Self::Esp,
            other => Self::Other(other),
        }
    }
}

impl From<Protocol> for u8 {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::None => 0,
            Protocol::Ike => 1,
            Protocol::Ah => 2,
            Protocol::Esp => 3,
            Protocol::Other(other) => other,
        }
    }
}

impl From<u8> for TransformType {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Encryption,
            2 => Self::Prf,
            3 => Self::Integrity,
            4 => Self::KeyExchange,
            5 => Self::ExtendedSequenceNumbers,
            6 => Self::AdditionalKeyExchange1,
            7..=12 => Self::LaterAdditionalKeyExchange(number),
            other => Self::Other(other),
        }
    }
}

impl From<TransformType> for u8 {
    fn from(kind: TransformType) -> Self {
        match kind {
            TransformType::Encryption => 1,
            TransformType::Prf => 2,
            TransformType::Integrity => 3,
            TransformType::KeyExchange => 4,
            TransformType::ExtendedSequenceNumbers => 5,
            TransformType::AdditionalKeyExchange1 => 6,
            TransformType::LaterAdditionalKeyExchange(number) | TransformType::Other(number) => number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::unhex;
    use crate::wire::testing::{single, verdict};
    use crate::wire::{Message, Payload};

    #[test]
    fn security_associations() {
        let too_long = "a proposal or transform is longer than what holds it";
        let too_short = "a proposal's or transform's length is below 4";
        let last = "a proposal or transform is wrong about being the last";
        let count = "a proposal does not have the transforms it counts";
        let transform = "0300000c0100001480 0e0100 000000080200 0006";
        let cases = [
            (
                "half a proposal's beginning",
                "0000",
                "a proposal or transform is cut short",
            ),
            ("a proposal of length zero", "00000000", too_short),
            ("a proposal beyond the payload", "00000009 01010000", too_long),
            (
                "a proposal without its fixed part",
                "00000006 0101",
                "a proposal is shorter than its fixed part",
            ),
            (
                "an SPI beyond the proposal",
                "0000000a 01030400 0000",
                "a proposal's SPI is longer than the proposal",
            ),
            ("the only proposal announces another", "02000008 01010000", last),
            (
                "the first of two proposals is the last",
                "00000008 01010000 00000008 02010000",
                last,
            ),
            (
                "a proposal marked as a transform is",
                "03000008 01010000 00000008 02010000",
                last,
            ),
            ("one transform counted, none there", "00000008 01010001", count),
            (
                "three transforms counted, two there",
                &format!("0000001c 01010003 {transform}"),
                count,
            ),
            (
                "one transform counted, two there",
                &format!("0000001c 01010001 {transform}"),
                count,
            ),
            (
                "a transform of length three",
                "0000000c 01010001 00000003",
                too_short,
            ),
            (
                "a transform beyond the proposal",
                "00000010 01010001 00000009 01000014",
                too_long,
            ),
            (
                "a transform without its fixed part",
                "0000000e 01010001 00000006 0100",
                "a transform is shorter than its fixed part",
            ),
            (
                "the last transform announces another",
                "00000010 01010001 03000008 01000014",
                last,
            ),
            (
                "half an attribute",
                "00000012 01010001 0000000a 01000014 800e",
                "an attribute is shorter than its fixed part",
            ),
            (
                "an attribute beyond the transform",
                "00000016 01010001 0000000e 01000014 00010003 0000",
                "an attribute is longer than its transform",
            ),
        ];
        for (name, body, reason) in cases {
            assert_eq!(
                verdict(&single(33, body)),
                Err(WireError::Syntax(reason)),
                "{name}"
            );
        }
        assert_eq!(
            verdict(&single(33, &format!("0000001c 01010002 {transform}"))),
            Ok(())
        );
    }

    /// RFC 7296 section 3.3.6: what is not known is passed over when reading, and told apart when choosing.
    #[test]
    fn unknown_attributes() {
        let decode = |attributes: &str| {
            let length = 8 + unhex(attributes).len();
            let body = format!(
                "0000{:04x} 01010001 0000{length:04x} 01000014 {attributes}",
                8 + length
            );
            let message = single(33, &body);
            match &Message::decode(&message).unwrap().payloads[..] {
                [Payload::Sa(proposals)] => proposals[0].transforms[0],
                other => panic!("{other:?}"),
            }
        };
        let aes = Transform::new(TransformType::Encryption, 20);
        let unknown = Transform {
            unknown_attribute: true,
            ..aes
        };
        assert_eq!(decode(""), aes);
        assert_eq!(
            decode("800e0100"),
            Transform {
                key_bits: Some(256),
                ..aes
            }
        );
        assert_eq!(decode("800f0001"), unknown);
        assert_eq!(decode("000f0003 010203"), unknown);
        assert_eq!(
            decode("000f0003 010203 800e0080"),
            Transform {
                key_bits: Some(128),
                ..unknown
            }
        );
        // A key length in the long form, or given twice.
        assert_eq!(decode("000e0002 0100"), unknown);
        assert_eq!(
            decode("800e0080 800e0100"),
            Transform {
                key_bits: Some(128),
                ..unknown
            }
        );
    }
}
