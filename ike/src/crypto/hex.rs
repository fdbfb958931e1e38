//! Known answers are written as in the RFCs: hexadecimal, in groups.

/// The octets of `digits`, white space left out.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits
        .split_whitespace()
        .flat_map(str::chars)
        .map(|digit| digit.to_digit(16).expect("a hexadecimal digit") as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
