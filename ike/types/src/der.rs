//! The little of DER that is written here.

/// Tag of a SEQUENCE.
pub const SEQUENCE: u8 = 0x30;

/// Tag of a SET.
pub const SET: u8 = 0x31;

/// Tag of an OBJECT IDENTIFIER.
pub const OBJECT_IDENTIFIER: u8 = 0x06;

/// Tag, length, and what is inside.
pub fn element(tag: u8, inside: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match u8::try_from(inside.len()) {
        Ok(short @ 0..=0x7f) => element.push(short),
        _ => {
            let length = inside.len().to_be_bytes().into_iter();
            let length = length.skip_while(|octet| *octet == 0);
            element.push(length.clone().fold(0x80, |count, _| count + 1));
            element.extend(length);
        }
    }
    element.extend_from_slice(inside);
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_as_few_octets_as_they_can() {
        for (length, front) in [
            (0, &[0x04, 0][..]),
            (0x7f, &[0x04, 0x7f]),
            (0x80, &[0x04, 0x81, 0x80]),
            (0xff, &[0x04, 0x81, 0xff]),
            (0x100, &[0x04, 0x82, 1, 0]),
            (0x1_0000, &[0x04, 0x83, 1, 0, 0]),
        ] {
            let inside = vec![7; length];
            assert_eq!(element(0x04, &inside), [front, &inside].concat(), "{length}");
        }
    }
}
