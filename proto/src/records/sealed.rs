//! A header that everyone may read beside a secret that only edges can.

use std::fmt;

use bytes::Bytes;
use prost::Message;

use crate::{Invalid, limits, v1};

/// The readable part of a sealed record.
pub trait Header: Sized + TryFrom<Self::Wire, Error = Invalid> {
    /// The record's kind: the name of its field in the schema's `Record`. The seal covers it, so that a secret of one
    /// kind cannot be passed off as another's.
    const NAME: &'static str;

    /// How the header travels.
    type Wire: Message + Default + for<'a> From<&'a Self>;
}

/// A header, its octets as they were sealed, and the secret. The octets are kept because the seal covers exactly
/// them: another encoder could write the same header in another way.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed<H> {
    header: H,
    encoded: Bytes,
    secret: Bytes,
}

impl<H: Header> Sealed<H> {
    /// `seal` gets the header's octets and returns the ciphertext of the secret, bound to them.
    pub fn new(header: H, seal: impl FnOnce(&[u8]) -> Bytes) -> Self {
        let encoded = Bytes::from(H::Wire::from(&header).encode_to_vec());
        let secret = seal(&encoded);
        Self {
            header,
            encoded,
            secret,
        }
    }

    /// What everyone may read.
    pub fn header(&self) -> &H {
        &self.header
    }

    /// The header's octets, which the seal covers.
    pub fn encoded_header(&self) -> &[u8] {
        &self.encoded
    }

    /// The ciphertext.
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }
}

impl<H: Header> TryFrom<v1::Sealed> for Sealed<H> {
    type Error = Invalid;

    fn try_from(wire: v1::Sealed) -> Result<Self, Invalid> {
        check_length("header", &wire.header, limits::HEADER)
            .and_then(|()| check_length("secret", &wire.secret, limits::SECRET))
            .and_then(|()| parse_header(&wire.header))
            .map(|header| Self {
                header,
                encoded: wire.header,
                secret: wire.secret,
            })
            .map_err(|error| error.within(H::NAME))
    }
}

fn check_length(field: &str, octets: &Bytes, most: usize) -> Result<(), Invalid> {
    match octets.len() {
        0 => Err(Invalid::missing(field)),
        length if length > most => Err(Invalid::new(
            field,
            length,
            format!("octets are more than {most}"),
        )),
        _ => Ok(()),
    }
}

fn parse_header<H: Header>(octets: &Bytes) -> Result<H, Invalid> {
    let rule = |error| format!("is not an encoded {}: {error}", H::NAME);
    H::Wire::decode(&octets[..])
        .map_err(|error| Invalid::new("header", octets, rule(error)))?
        .try_into()
}

impl<H> From<&Sealed<H>> for v1::Sealed {
    fn from(sealed: &Sealed<H>) -> Self {
        Self {
            header: sealed.encoded.clone(),
            secret: sealed.secret.clone(),
        }
    }
}

/// Without the ciphertext: nobody reads it, and it is long.
impl<H: fmt::Debug> fmt::Debug for Sealed<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with {} sealed octets", self.header, self.secret.len())
    }
}
