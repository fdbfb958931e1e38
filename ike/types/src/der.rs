//! The little of DER that is written here.

/// Tag of a SEQUENCE.
pub const SEQUENCE: u8 = 0x30;

/// Tag, length, and what is inside.
pub fn element(tag: u8, inside: &[u8]) -> Vec<u8> {
    let length = inside.len().to_be_bytes();
    let octets = length.iter().skip_while(|octet| **octet == 0).count();
    let length = &length[length.len() - octets..];
    match inside.len() {
        short @ 0..=0x7f => [&[tag, short as u8], inside].concat(),
        _ => [&[tag, 0x80 | octets as u8], length, inside].concat(),
    }
}
