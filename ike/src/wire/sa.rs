//! SA: proposals, transforms and their attributes (RFC 7296 section 3.3).

/// One proposal (RFC 7296 section 3.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposal<'a> {
    /// Counts from 1; the answer repeats the accepted one's.
    pub(crate) number: u8,
    pub(crate) protocol: Protocol,
    /// Empty in IKE_SA_INIT, 8 octets for an IKE SA's rekey, 4 for ESP and AH.
    pub(crate) spi: &'a [u8],
    pub(crate) transforms: Vec<Transform>,
}

/// What an SPI, a proposal or a notification is about.
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
    /// The key length attribute, in bits.
    pub(crate) key_bits: Option<u16>,
    /// It has an attribute not known here, and so is never acceptable (RFC 7296 section 3.3.6).
    pub(crate) unknown_attribute: bool,
}

/// Transform types (RFC 7296 section 3.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransformType {
    Encryption,
    Prf,
    Integrity,
    KeyExchange,
    ExtendedSequenceNumbers,
    Other(u8),
}
