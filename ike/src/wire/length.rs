//! Lengths and counts in fields that are narrower than ours.
//!
//! No message is longer than a UDP datagram, and nobody here makes as many proposals, selectors or SPIs as their fields can count. Should
//! it happen all the same, the largest number makes a message that the peer refuses, and no one that means something else.

pub(super) fn in_8_bits(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

pub(super) fn in_16_bits(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

pub(super) fn in_32_bits(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Writes the length of what begins at `start` and ends `out` into the third and fourth octet of it, as payloads, proposals and
/// transforms have it.
pub(super) fn patch_length_from(start: usize, out: &mut [u8]) {
    let length = in_16_bits(out.len().saturating_sub(start));
    if let Some(field) = out.get_mut(start + 2..start + 4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}
